import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { AdminClient, type ReadOrder } from "./admin-client.ts";
import { type CliContext, type CommonOptions, DEFAULT_SERVER } from "./cli-context.ts";
import { followOrder } from "./follow-order.ts";
import { ProgressView } from "./progress.ts";

/** Adds the options that every command that talks to a running process takes. */
export function withServer(command: Command): Command {
  return withJson(command)
    .addOption(new Option("--server <url>", `admin API to talk to (SWITCHYARD_SERVER; else ${DEFAULT_SERVER})`))
    .addOption(new Option("--ca <file>", "authorities to trust for https, in PEM (SWITCHYARD_CA)"))
    .addOption(new Option("--token <token>", "token for it (better: SWITCHYARD_TOKEN)"));
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.addOption(new Option("--json", "print one JSON object, errors too"));
}

/** Adds `--config`. */
export function withConfig(command: Command): Command {
  return command.addOption(new Option("--config <file>", "configuration (SWITCHYARD_CONFIG; else switchyard.yaml)"));
}

/** What a command that talks to a running process works with. */
export interface Session {
  readonly context: CliContext;
  readonly client: AdminClient;
  readonly view: ProgressView;
  readonly json: boolean;
  /** Prints the command's result: `value` with `--json`, else `text`. */
  print(value: object, text: string): void;
  /** Waits for an order that was placed, see {@link followOrder}. */
  follow(placed: ReadOrder, watch?: () => Promise<void>): Promise<Readonly<Record<string, unknown>>>;
}

/** Opens the session of a command from its options; `where` wins over what they and the environment say of the server. */
export function openSession(context: CliContext, command: Command, where?: string): Session {
  const options = command.optsWithGlobals<CommonOptions>();
  const json = options.json === true;
  const { environment, clock, signal } = context;
  const server = where ?? options.server ?? environment.server ?? DEFAULT_SERVER;
  const ca = readAuthorities(options.ca ?? environment.ca);
  const client = new AdminClient({ server, ca, token: options.token ?? environment.token, clock, signal });
  const view = new ProgressView(context, json);
  return {
    context,
    client,
    view,
    json,
    print: (value, text) => context.out(json ? `${JSON.stringify(value)}\n` : `${text}\n`),
    follow: (placed, watch) => followOrder(placed, { client, view, signal, ...(watch === undefined ? {} : { watch }) }),
  };
}

/** @throws {SwitchyardError} `CLI_USAGE` where the file cannot be read or is not PEM. */
function readAuthorities(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let problem = "it is not PEM";
  try {
    const text = readFileSync(file, "utf8");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    problem = messageOf(error);
  }
  throw new SwitchyardError("CLI_USAGE", {
    what: `the authorities to trust cannot be read from ${file}: ${problem}`,
    fix: "Name a PEM file with --ca or SWITCHYARD_CA.",
  });
}

/** A group of commands that does nothing by itself but say what it has. */
export function group(name: string, description: string): Command {
  return new Command(name).description(description);
}

/** What is listed with commas. */
export function namesIn(list: string): readonly string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
