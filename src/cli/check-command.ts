import { type Command, Option } from "commander";
import type { Config } from "../config/config.ts";
import { GRANT_ROLES } from "../preflight/requirements.ts";
import type { CliContext } from "./cli-context.ts";
import { withConfig, withJson } from "./command-tools.ts";
import type { CheckOptions } from "./run-check.ts";

/** `switchyard check`: looks at the servers from here, and needs no running process. */
export function checkCommand(
  context: CliContext,
  create: (name: string) => Command,
  configOf: (command: Command) => Promise<Config>,
): Command {
  return withConfig(withJson(create("check")))
    .description(
      "check servers and tables from here; needs no running process. Exits with 3 where something forbids the move",
    )
    .option("--from <backend>", "source (else `default` of the configuration)")
    .option("--to <backend>", "target (else the other one, where there are two)")
    .option("--tables <list>", "schema.table, separated by commas; without it only the servers are looked at")
    .option("-f, --file <file>", "take from, to, tables and mapping from the YAML file of migration create")
    .option("--print-grants [backend]", "print the statements that make Switchyard's account; needs --tables")
    .option(
      "--print-accounts",
      "print the statements that make the applications' accounts on the target; needs --tables",
    )
    .option(
      "--print-objects",
      "print the statements that make views, routines and events on the target, for after the copy; needs --tables",
    )
    .addOption(new Option("--role <role>", "with --print-grants: what for").choices(GRANT_ROLES).default("serve"))
    .option("--host <host>", "with --print-grants: host of the account", "%")
    .option("--with-passwords", "with --print-grants: put the configured passwords in")
    .option(
      "--server-version <version>",
      "with --print-grants: for which release, for example 8.0.19 (else the newest)",
    )
    .action(async (_: object, command: Command) => {
      // Clients of a running process need no driver for MySQL; this command loads it when it runs.
      const { runCheck } = await import("./run-check.ts");
      await runCheck(await configOf(command), command.optsWithGlobals<CheckOptions>(), context);
    });
}
