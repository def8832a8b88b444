import { printable } from "../base/printable.ts";
import type { SqlModes } from "./statement.ts";
import { TOKEN, Tokenizer } from "./tokenizer.ts";

/** Of a longer text no more is read. */
export const SHOWN_BYTES_MAX = 1024;
const SHOWN_CHARS_MAX = 160;
const UNREADABLE = "(a text that cannot be read safely)";

const DOUBLE_QUOTE = 0x22;

const HIDDEN: ReadonlySet<number> = new Set([TOKEN.STRING, TOKEN.NUMBER, TOKEN.PARAMETER]);

/**
 * A statement for people to recognise: in one line, without comments, each value a `?`, and cut where it is long. What
 * might be part of a value is left out, so that it can stand in logs and reports.
 */
export function shownStatement(text: Buffer, modes: SqlModes): string {
  const cut = text.length > SHOWN_BYTES_MAX;
  const lexer = new Tokenizer(cut ? text.subarray(0, SHOWN_BYTES_MAX) : text, modes);
  // A second byte of a character may be a quote: where a value ends is not known.
  if (modes.charset === "unsafe" && lexer.text.some((byte) => byte >= 0x80)) return UNREADABLE;
  let shown = "";
  for (let kind = lexer.next(); kind !== TOKEN.END && shown.length <= SHOWN_CHARS_MAX; kind = lexer.next()) {
    if (kind === TOKEN.BAD || lexer.doubt !== undefined) return shown === "" ? UNREADABLE : ended(shown);
    // In double quotes stands a name or a value, as the server's mode says at that moment.
    const hidden = HIDDEN.has(kind) || (kind === TOKEN.QUOTED && lexer.text[lexer.start] === DOUBLE_QUOTE);
    const part = hidden ? "?" : lexer.text.toString("utf8", lexer.start, lexer.end);
    shown += lexer.spaced && shown !== "" ? ` ${part}` : part;
  }
  if (shown.length > SHOWN_CHARS_MAX) return ended(shown.slice(0, SHOWN_CHARS_MAX));
  return cut ? ended(shown) : printable(shown).trimEnd();
}

function ended(shown: string): string {
  return `${printable(shown).trimEnd()} …`;
}
