import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { isName, nameOf } from "./names.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";
import { userVariableName } from "./user-variables.ts";

const BACKSLASH = 0x5c;
const ESCAPED: ReadonlyMap<number, number> = new Map(
  Object.entries({ "0": 0x00, b: 0x08, n: 0x0a, r: 0x0d, t: 0x09, Z: 0x1a }).map(([letter, byte]) => [
    letter.charCodeAt(0),
    byte,
  ]),
);
/** `\%` and `\_` keep their backslash, for patterns. */
const PATTERN = new Set([0x25, 0x5f]);

/** PREPARE s FROM …; the current token is PREPARE. */
export function readPrepare(lexer: Tokenizer, draft: FactsDraft, noBackslashEscapes: boolean): void {
  draft.kind = "prepare";
  draft.touchesEverything("the text to prepare is not in it");
  const name = readName(lexer);
  if (name === undefined || lexer.kind !== TOKEN.WORD || lexer.code !== KW.FROM) return;
  const kind = lexer.next();
  if (kind === TOKEN.STRING) {
    const { text, start, end } = lexer;
    draft.dynamic = { action: "prepare", name, text: stringBytes(text.subarray(start, end), noBackslashEscapes) };
  } else if (kind === TOKEN.USER_VARIABLE)
    draft.dynamic = { action: "prepare", name, variable: userVariableName(lexer) };
  else return;
  lexer.next();
  if (!atEnd(lexer)) draft.dynamic = undefined;
}

/** EXECUTE s [USING @a, …]; the current token is EXECUTE. */
export function readExecute(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "execute";
  draft.touchesEverything("the prepared text is not known");
  const name = readName(lexer);
  const using = lexer.kind === TOKEN.WORD && lexer.code === KW.USING;
  if (name !== undefined && (using || atEnd(lexer))) draft.dynamic = { action: "execute", name };
}

/** DEALLOCATE PREPARE s and DROP PREPARE s; the current token is PREPARE, or something that is wrong there. */
export function readDeallocate(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "deallocate";
  draft.readOnly = true;
  if (lexer.kind !== TOKEN.WORD || lexer.code !== KW.PREPARE) return;
  const name = readName(lexer);
  if (name !== undefined && atEnd(lexer)) draft.dynamic = { action: "deallocate", name };
}

/** The name that follows; the token after it is the current one then. */
function readName(lexer: Tokenizer): string | undefined {
  lexer.next();
  if (!isName(lexer)) return undefined;
  const name = nameOf(lexer);
  lexer.next();
  return name;
}

function atEnd(lexer: Tokenizer): boolean {
  return lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON;
}

/** What a string literal holds; its quotes are the first and the last byte. */
export function stringBytes(literal: Buffer, noBackslashEscapes: boolean): Buffer {
  const quote = literal[0];
  const bytes: number[] = [];
  for (let at = 1; at < literal.length - 1; at++) {
    const byte = literal[at] as number;
    if (byte === BACKSLASH && !noBackslashEscapes) {
      at++;
      const next = literal[at] as number;
      if (PATTERN.has(next)) bytes.push(byte);
      bytes.push(ESCAPED.get(next) ?? next);
      continue;
    }
    if (byte === quote) at++;
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}
