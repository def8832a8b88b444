import type { SqlModes } from "../sql/statement.ts";

/** What decides on how a text is understood when it is prepared. */
export interface Reading {
  /** How it is taken apart here. */
  readonly parsedBy: SqlModes;
  readonly sqlMode: string;
  /** What the client has set of character sets and collations. */
  readonly charset: string;
}

/**
 * Modes that act when a text is read and not when it is executed, with what a text must have for them to matter. Without
 * IGNORE_SPACE: it decides only whether some texts are statements at all.
 */
const READING_MODES: ReadonlyMap<string, RegExp> = new Map([
  ["ANSI_QUOTES", /"/],
  ["HIGH_NOT_PRECEDENCE", /not/i],
  ["NO_BACKSLASH_ESCAPES", /\\/],
  ["NO_UNSIGNED_SUBTRACTION", /-/],
  ["PIPES_AS_CONCAT", /\|\|/],
  ["REAL_AS_FLOAT", /real/i],
]);
const ANSI = ["ANSI_QUOTES", "PIPES_AS_CONCAT", "REAL_AS_FLOAT"];

/** The modes that a value of `sql_mode` names. */
function readingModes(sqlMode: string): ReadonlySet<string> {
  const named = sqlMode.toUpperCase().split(",");
  return new Set(named.includes("ANSI") ? [...named, ...ANSI] : named);
}

/** A text that was prepared, and under what. */
export interface KeptText {
  readonly text: Buffer;
  /** The session's schema at that time: what its names mean. */
  readonly schema: string | undefined;
  readonly reading: Reading;
}

/** Whether a text that was prepared under one `sql_mode` would be another statement under that of now. */
export function meansOtherwise(text: Buffer, then: Reading, now: Reading): boolean {
  if (then.sqlMode === now.sqlMode) return false;
  const bytes = text.toString("latin1");
  const [before, after] = [readingModes(then.sqlMode), readingModes(now.sqlMode)];
  for (const [mode, mark] of READING_MODES) if (before.has(mode) !== after.has(mode) && mark.test(bytes)) return true;
  return false;
}

/** The same of the character set. Without literals a text of ASCII means the same in any that a client may use. */
export function isSpeltOtherwise(text: Buffer, then: Reading, now: Reading): boolean {
  return then.charset !== now.charset && /['"\x80-\xff]/.test(text.toString("latin1"));
}
