import type { Command } from "commander";
import type { CliContext } from "../../src/cli/cli-context.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { EXIT_CODES } from "./errors-page.ts";
import { code, markdownTable, page } from "./markdown.ts";

const ENVIRONMENT = [
  ["SWITCHYARD_CONFIG", "Configuration where `--config` is not given."],
  ["SWITCHYARD_SERVER", "Admin API where `--server` is not given."],
  ["SWITCHYARD_CA", "PEM file of the authorities to trust for an `https` admin API where `--ca` is not given."],
  ["SWITCHYARD_TOKEN", "Token where `--token` is not given: it stays out of the list of processes."],
] as const;

/** Every command with its options, from the program that parses them. */
export function cliPage(): string {
  const program = buildProgram(unused, () => undefined);
  const options = markdownTable(["option", "meaning"], optionRows(program));
  return page("Commands", `${program.description()} \`switchyard <command> --help\` says the same as this page.`, [
    `## Options of every command\n\n${options}`,
    `## Environment\n\n${markdownTable(
      ["variable", "meaning"],
      ENVIRONMENT.map(([name, about]) => [code(name), about]),
    )}`,
    `## Exit codes\n\n${markdownTable(["exit", "meaning"], EXIT_CODES)}`,
    ...commandsOf(program).map(({ name, command }) => commandText(name, command)),
  ]);
}

/** The program is only looked at: nothing of what its commands would need is ever asked for. */
const unused = { version: "", environment: { all: {} } } as unknown as CliContext;

function commandsOf(parent: Command, above = "switchyard"): { readonly name: string; readonly command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${above} ${command.name()}`;
    return command.commands.length > 0 ? commandsOf(command, name) : [{ name, command }];
  });
}

function commandText(name: string, command: Command): string {
  const args = command.registeredArguments;
  const usage = [name, ...args.map((arg) => (arg.required ? `<${arg.name()}>` : `[${arg.name()}]`))].join(" ");
  const rows = [...args.map((arg) => [code(arg.name()), arg.description]), ...optionRows(command)];
  const parts = [`## ${name}`, `${sentence(command.description())}`, `    ${usage} [options]`];
  return [...parts, ...(rows.length === 0 ? [] : [markdownTable(["", "meaning"], rows)])].join("\n\n");
}

function optionRows(command: Command): string[][] {
  return command.options.map(({ flags, description, argChoices, defaultValue }) => {
    const choices = argChoices === undefined ? "" : `: ${argChoices.join(", ")}`;
    const standard = defaultValue === undefined ? "" : ` (default ${String(defaultValue)})`;
    return [code(flags), `${description}${choices}${standard}`];
  });
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!]$/.test(start) ? start : `${start}.`;
}
