import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { messageOf, SwitchyardError } from "../base/errors.ts";

const FIELDS = ["from", "to", "tables", "readFrom", "mapping", "onDdl"] as const;

/**
 * What the YAML file of `migration create -f` asks for; whatever else is in it is left out.
 *
 * @throws {SwitchyardError} `CLI_USAGE`
 */
export async function readRequestFile(file: string): Promise<Record<string, unknown>> {
  let found: unknown;
  try {
    found = parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new SwitchyardError("CLI_USAGE", {
      what: `${file} cannot be used: ${messageOf(error)}`,
      fix: "Give a YAML file with from, to and tables, and a mapping where columns differ.",
      cause: error,
    });
  }
  const given = (found ?? {}) as Record<string, unknown>;
  return Object.fromEntries(FIELDS.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
}
