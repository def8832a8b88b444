import { malformed } from "./event-reader.ts";

/** One step of a path into a JSON value. `fromEnd` counts back from the last element: 0 is `[last]`. */
export type JsonStep = { readonly member: string } | { readonly cell: number } | { readonly fromEnd: number };

/** Each kind of step at the place where the pattern is applied. */
const CELL = /\[\s*(?:(last)(?:\s*-\s*(\d{1,10}))?|(\d{1,10}))\s*\]/y;
const QUOTED = /\.("(?:[^"\\]|\\.)*")/sy;
const PLAIN = /\.([^.[\]"\s]+)/y;

/**
 * Reads a path as the server writes it into differences of JSON values: `$`, then `.name`, `."quoted name"`, `[3]`,
 * `[last]` or `[last-3]`. Such a path names one place, so that wildcards and ranges do not occur.
 *
 * @throws {SwitchyardError} `BINLOG_MALFORMED`
 */
export function parseJsonPath(text: string): JsonStep[] {
  if (!text.startsWith("$")) throw malformed("a JSON path does not begin with $");
  const steps: JsonStep[] = [];
  let at = 1;
  while (at < text.length) {
    const match = matchAt(CELL, text, at) ?? matchAt(QUOTED, text, at) ?? matchAt(PLAIN, text, at);
    if (match === undefined) throw malformed(`a JSON path cannot be read from its character ${at + 1} on`);
    steps.push(stepOf(match));
    at += match[0].length;
  }
  return steps;
}

function stepOf(match: RegExpExecArray): JsonStep {
  if (match[0].startsWith("[")) {
    return match[1] === "last" ? { fromEnd: Number(match[2] ?? 0) } : { cell: Number(match[3]) };
  }
  const name = match[1] ?? "";
  if (name === "*" || name === "**") throw malformed("a JSON path with a wildcard names no single place");
  return { member: name.startsWith('"') ? unquote(name) : name };
}

function unquote(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch (cause) {
    throw malformed("a quoted name in a JSON path cannot be read", cause);
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
