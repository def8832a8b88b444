import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ERROR_CODES, type ErrorCode } from "../../src/base/error-codes.ts";
import { code, markdownTable, page } from "./markdown.ts";

const CATALOGUE = join(import.meta.dirname, "../../src/base/error-codes.ts");
const ENTRY = /^ {2}\/\*\*([\s\S]*?)\*\/\s*([A-Z][A-Z0-9_]*): \{|^ {2}\/\/ (.+)$/gm;

export const EXIT_CODES: readonly (readonly [string, string])[] = [
  ["0", "Done."],
  ["1", "Failed."],
  ["2", "The command or the configuration was not given as it must be; nothing was changed."],
  ["3", "Refused by a check or a gate; nothing was changed."],
  ["4", "Aborted: begun, and taken back; all is as before."],
  ["5", "The outcome is not known yet; the message says what resolves it."],
];

/** Every error code, from the catalogue and the comments in it. */
export function errorsPage(): string {
  const areas: { readonly name: string; readonly rows: string[][] }[] = [];
  for (const [, comment, name, area] of catalogueText().matchAll(ENTRY)) {
    if (area !== undefined) areas.push({ name: area, rows: [] });
    else areas.at(-1)?.rows.push(row(name as ErrorCode, comment ?? ""));
  }
  return page(
    "Errors",
    "Every error that Switchyard raises has a code, which stays the same from release to release while texts may be " +
      "mended. A message says what happened, what was observed and expected, what was and was not changed, and what to " +
      "do. *Again* says whether the same thing done again, unchanged, can succeed; *exit* is how a command ends with it.",
    [
      `## Exit codes\n\n${markdownTable(["exit", "meaning"], EXIT_CODES)}`,
      ...areas.filter(({ rows }) => rows.length > 0).map(({ name, rows }) => areaText(name, rows)),
    ],
  );
}

function catalogueText(): string {
  const text = readFileSync(CATALOGUE, "utf8");
  return text.slice(text.indexOf("ERROR_CODES = {"));
}

function areaText(name: string, rows: readonly string[][]): string {
  return `## ${name}\n\n${markdownTable(["code", "meaning", "again", "exit"], rows)}`;
}

function row(name: ErrorCode, comment: string): string[] {
  const { retryable, exit } = ERROR_CODES[name];
  const text = comment
    .replaceAll(/\n\s*\*/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return [code(name), text, retryable ? "yes" : "no", String(exit)];
}
