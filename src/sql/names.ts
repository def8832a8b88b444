import type { FactsDraft } from "./facts-draft.ts";
import type { TableRef } from "./statement.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const DOT = 0x2e;
const STAR = 0x2a;

/** The name that a WORD or QUOTED token spells, without its quotes. */
export function nameOf(lexer: Tokenizer): string {
  const { text, start, end } = lexer;
  if (lexer.kind !== TOKEN.QUOTED) return text.toString("utf8", start, end);
  const inner = text.toString("utf8", start + 1, end - 1);
  const quote = String.fromCharCode(text[start] as number);
  return inner.includes(quote) ? inner.replaceAll(quote + quote, quote) : inner;
}

/** Whether the current token can be a name. */
export function isName(lexer: Tokenizer): boolean {
  return lexer.kind === TOKEN.WORD || lexer.kind === TOKEN.QUOTED;
}

/** Whether the token after the current one is the operator `byte`; the current one stays. */
export function nextIs(lexer: Tokenizer, byte: number): boolean {
  if (lexer.nextByteIs(byte)) return true;
  if (!lexer.nextMayBeComment()) return false;
  const mark = lexer.mark();
  const found = lexer.next() === TOKEN.OPERATOR && lexer.code === byte;
  lexer.reset(mark);
  return found;
}

/** Whether the token after the current one is a word with this number; the current one stays. */
export function nextIsWord(lexer: Tokenizer, ...words: readonly number[]): boolean {
  const mark = lexer.mark();
  const found = lexer.next() === TOKEN.WORD && words.includes(lexer.code);
  lexer.reset(mark);
  return found;
}

/**
 * Reads a table's name that begins at the current token: `t`, `s.t`, `.t`, and `t.*` or `s.t.*` as in DELETE. The
 * last token of it is the current one afterwards. Where there is no name, says so in the draft and moves nowhere.
 */
export function readTableName(lexer: Tokenizer, draft: FactsDraft, write: boolean): TableRef | undefined {
  const at = lexer.start;
  let schema: string | undefined;
  let table: string | undefined;
  if (isName(lexer)) table = nameOf(lexer);
  else if (lexer.kind !== TOKEN.OPERATOR || lexer.code !== DOT) {
    draft.touchesEverything("a table's name was expected");
    return undefined;
  } else {
    lexer.next();
    if (!isName(lexer)) {
      draft.touchesEverything("a table's name was expected after the dot");
      return undefined;
    }
    return { table: nameOf(lexer), write, at };
  }
  while (nextIs(lexer, DOT)) {
    lexer.next();
    lexer.next();
    if (lexer.kind === TOKEN.OPERATOR && lexer.code === STAR) break;
    if (!isName(lexer) || schema !== undefined) {
      draft.touchesEverything("a table's name has too many parts");
      return undefined;
    }
    schema = table;
    table = nameOf(lexer);
  }
  return schema === undefined ? { table, write, at } : { schema, table, write, at };
}
