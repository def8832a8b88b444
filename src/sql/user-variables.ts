import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const QUOTES = new Set([0x60, 0x27, 0x22]);

/** The name of the user variable at the current token. */
export function userVariableName({ text, start, end }: Tokenizer): string {
  const quote = text[start + 1] ?? 0;
  if (!QUOTES.has(quote)) return text.toString("utf8", start + 1, end);
  const mark = String.fromCharCode(quote);
  return text.toString("utf8", start + 2, end - 1).replaceAll(mark + mark, mark);
}

/**
 * The user variables that a statement names which begins at byte `start` and has been read: the current token, which
 * has ended it, is the same afterwards. Each once, whatever the case of its letters.
 */
export function userVariables(lexer: Tokenizer, start: number): readonly string[] {
  const end = lexer.mark();
  const names = new Map<string, string>();
  lexer.reset({ ...end, pos: start });
  for (let kind = lexer.next(); kind !== TOKEN.END && lexer.start < end.start; kind = lexer.next()) {
    if (kind === TOKEN.BAD) break;
    if (kind !== TOKEN.USER_VARIABLE) continue;
    const name = userVariableName(lexer);
    names.set(name.toLowerCase(), name);
  }
  lexer.reset(end);
  return [...names.values()];
}
