import { nameOf } from "./names.ts";
import type { SqlModes, StatementFacts } from "./statement.ts";
import { TOKEN, Tokenizer } from "./tokenizer.ts";

/** A token of a statement, kept: for what cannot be told from one token to the next. */
export interface Token {
  readonly kind: number;
  /** As {@link Tokenizer.code}. */
  readonly code: number;
  readonly start: number;
  readonly end: number;
  /** What a word or quoted name spells; empty for all else. */
  readonly name: string;
  /** How many parentheses are open around it; those of a pair have the depth of what stands outside of it. */
  readonly depth: number;
  /** Of a parameter: how many stand before it. */
  readonly parameter?: number;
}

/** Statements of more tokens are not looked into. */
const TOKENS_MAX = 100_000;

const OPEN = 0x28;
const CLOSE = 0x29;

/** The tokens of one statement; nothing where it is too long, or a quote or comment of it does not end. */
export function readTokens(text: Buffer, facts: StatementFacts, modes: SqlModes): readonly Token[] | undefined {
  const lexer = new Tokenizer(text.subarray(0, facts.end), modes);
  lexer.reset({ ...lexer.mark(), pos: facts.start });
  const tokens: Token[] = [];
  let depth = 0;
  let parameters = 0;
  for (let kind = lexer.next(); kind !== TOKEN.END && kind !== TOKEN.SEMICOLON; kind = lexer.next()) {
    if (kind === TOKEN.BAD || tokens.length >= TOKENS_MAX) return undefined;
    const { code, start, end } = lexer;
    if (kind === TOKEN.OPERATOR && code === CLOSE) depth -= 1;
    const name = kind === TOKEN.WORD || kind === TOKEN.QUOTED ? nameOf(lexer) : "";
    const token = { kind, code, start, end, name, depth };
    tokens.push(kind === TOKEN.PARAMETER ? { ...token, parameter: parameters++ } : token);
    if (kind === TOKEN.OPERATOR && code === OPEN) depth += 1;
  }
  return tokens;
}
