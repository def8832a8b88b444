import { printable } from "../base/printable.ts";

const PROGRAM_CHARS_MAX = 60;

/** What a client says it is: the program's name, or else that of the library it uses. */
export function programOf(attributes: ReadonlyMap<string, string>): string | undefined {
  const name = attributes.get("program_name") || attributes.get("_client_name");
  return name === undefined || name === "" ? undefined : printable(name, PROGRAM_CHARS_MAX);
}
