import { Command, CommanderError } from "commander";
import { loadConfig } from "../config/load-config.ts";
import { checkCommand } from "./check-command.ts";
import { type CliContext, type CommonOptions, DEFAULT_CONFIG } from "./cli-context.ts";
import { withConfig, withJson } from "./command-tools.ts";
import { diffCommands } from "./diff-commands.ts";
import { doctorCommand } from "./doctor-command.ts";
import { migrationCommands } from "./migration-commands.ts";
import { proxiesCommands } from "./proxies-commands.ts";
import { commandError, ReportedError } from "./remote-error.ts";
import { rulesCommands, sessionsCommand } from "./state-commands.ts";
import { switchCommand } from "./switch-commands.ts";

const USAGE_EXIT = 2;

/** The commands that run until they are stopped. */
const PROCESSES = {
  serve: "run proxy, controller and admin API on this machine, with a store of its own or an etcd",
  proxy: "run the proxy of this machine as a part of a fleet that meets in an etcd",
  controller: "run a controller of a fleet that meets in an etcd; one of several leads",
} as const;

/** Runs one command line (without the names of node and of the program) and gives the exit code. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  let exit = 0;
  const program = buildProgram(context, (code) => {
    exit = code;
  });
  // Commander prints its own complaints; with --json they are printed as an object instead.
  const json = args.includes("--json");
  let complaint = "";
  for (const command of allCommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: context.out,
      writeErr: (text) => {
        complaint += text;
        if (!json) context.err(text);
      },
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return usageExit(error, json, complaint, context);
    return fail(error, json, context);
  }
}

/** The whole command line, for running it and for printing its help. */
export function buildProgram(context: CliContext, exit: (code: number) => void): Command {
  const program = withJson(new Command("switchyard"))
    .description("Moves live MySQL tables between servers, and back, while applications keep running.")
    .version(context.version, "--version", "print the version")
    .showHelpAfterError("(add --help for what there is)");
  for (const [kind, description] of Object.entries(PROCESSES)) {
    withConfig(program.command(kind))
      .description(description)
      .action(async (_: object, command: Command) => {
        const read = () => configOf(context, command);
        exit(await context.serve(kind as keyof typeof PROCESSES, await read(), read));
      });
  }
  const create = (name: string): Command => program.command(name);
  checkCommand(context, create, (command) => configOf(context, command));
  doctorCommand(context, create, (command) => configOf(context, command));
  program.addCommand(migrationCommands(context));
  program.addCommand(diffCommands(context));
  switchCommand(context, "switch", create);
  switchCommand(context, "rollback", create);
  program.addCommand(rulesCommands(context));
  program.addCommand(proxiesCommands(context));
  sessionsCommand(context, create);
  return program;
}

async function configOf(context: CliContext, command: Command): ReturnType<typeof loadConfig> {
  const { config } = command.optsWithGlobals<CommonOptions>();
  const file = config ?? context.environment.config ?? DEFAULT_CONFIG;
  return await loadConfig(file, context.environment.all);
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function usageExit(error: CommanderError, json: boolean, complaint: string, context: CliContext): number {
  if (error.exitCode === 0) return 0;
  const message = `CLI_USAGE: ${(complaint || error.message).trim()}`;
  if (json) context.out(`${JSON.stringify({ error: { code: "CLI_USAGE", message, exit: USAGE_EXIT } })}\n`);
  return USAGE_EXIT;
}

function fail(error: unknown, json: boolean, context: CliContext): number {
  const said = commandError(error);
  const report = error instanceof ReportedError ? { format: 1, ...error.report } : {};
  if (json) context.out(`${JSON.stringify({ ...report, error: said })}\n`);
  else context.err(`${said.message}\n`);
  return said.exit;
}
