import { KW } from "./keywords.ts";
import type { SqlModes, StatementFacts } from "./statement.ts";
import { readTokens, type Token } from "./token-list.ts";
import { TOKEN } from "./tokenizer.ts";

/**
 * A literal that the text sets against a column: compared with it (`a = 5`, `5 = a`, `a IN (5, 6)`), or inserted into
 * it. How comparisons are combined (AND, OR, NOT) is not said.
 */
export interface ColumnLiteral {
  readonly how: "compared" | "inserted";
  /** Name or alias of the column's table, where it is written before the column. */
  readonly table?: string;
  readonly column: string;
  /** Where the literal lies in the text, its sign and introducer included; of a parameter, its question mark. */
  readonly start: number;
  readonly end: number;
  /** Number of the parameter, from 0, where it is one. */
  readonly parameter?: number;
}

interface Name {
  readonly table?: string;
  readonly column: string;
  /** Index of its first token. */
  readonly first: number;
}

interface Literal {
  readonly start: number;
  readonly end: number;
  readonly parameter?: number;
  /** Index of the token behind it. */
  readonly next: number;
}

const CHAR = { OPEN: 0x28, CLOSE: 0x29, COMMA: 0x2c, DOT: 0x2e, EQUAL: 0x3d, MINUS: 0x2d, PLUS: 0x2b } as const;

/** Words of the grammar that are no names unless they are quoted or stand behind a dot. */
const RESERVED: ReadonlySet<number> = new Set([
  ...[KW.AND, KW.OR, KW.NOT, KW.IN, KW.NULL, KW.TRUE, KW.FALSE, KW.WHERE, KW.ON, KW.SET, KW.SELECT, KW.FROM],
  ...[KW.LIKE, KW.HAVING, KW.VALUES, KW.UPDATE, KW.INSERT, KW.INTO, KW.JOIN, KW.USING, KW.GROUP, KW.ORDER, KW.LIMIT],
]);
const CONSTANTS: ReadonlySet<number> = new Set([KW.NULL, KW.TRUE, KW.FALSE]);
/** Behind one of these begins an expression. */
const OPENING_WORD = /^(case|when|then|else)$/i;
/** Words that go on with the expression before them, and bind closer than a comparison or change what it says. */
const JOINING_WORD = /^(div|mod|xor|is|in|not|like|between|regexp|rlike|sounds|member|collate)$/i;

/**
 * Literals that the statement at `facts` sets against columns by name, in the order of the text. Empty for a text that
 * does not end its quotes, and for one of more tokens than are looked at.
 */
export function columnLiterals(text: Buffer, facts: StatementFacts, modes: SqlModes): readonly ColumnLiteral[] {
  const tokens = readTokens(text, facts, modes);
  if (tokens === undefined) return [];
  const reader = new LiteralReader(tokens);
  const inserts = facts.kind === "insert" || facts.kind === "replace";
  if (!inserts) return reader.compared(undefined);
  return [...reader.inserted(), ...reader.compared("inserted")].sort((a, b) => a.start - b.start);
}

class LiteralReader {
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Comparisons; assignments of a SET are left out, or given as what `assigned` says. */
  compared(assigned: "inserted" | undefined): ColumnLiteral[] {
    const found: ColumnLiteral[] = [];
    let assignDepth = -1;
    for (const [index, token] of this.#tokens.entries()) {
      if (this.#isWord(index, KW.SET)) assignDepth = token.depth;
      else if (token.depth === assignDepth && this.#isWord(index, KW.WHERE)) assignDepth = -1;
      // ON DUPLICATE KEY UPDATE changes rows that are there already: nothing of it is inserted.
      else if (this.#isWord(index, KW.UPDATE) && index > 0) return found;
      if (this.#isChar(index, CHAR.EQUAL)) {
        const how = token.depth === assignDepth ? assigned : "compared";
        const one = how === undefined ? undefined : this.#equal(index, how);
        if (one !== undefined) found.push(one);
      } else if (this.#isWord(index, KW.IN)) found.push(...this.#list(index));
    }
    return found;
  }

  /** Rows of `INSERT … (columns) VALUES (…), (…)`. */
  inserted(): ColumnLiteral[] {
    const values = this.#tokens.findIndex((token, index) => token.depth === 0 && this.#isValues(index));
    if (values < 0) return [];
    const columns = this.#columnsBefore(values);
    const found: ColumnLiteral[] = [];
    for (let index = values + 1; this.#isChar(index, CHAR.OPEN); ) {
      const end = this.#rowEnd(index);
      let at = index + 1;
      for (const column of columns) {
        // A row of fewer values than columns is refused by the server; what follows it is another row.
        if (at > end) break;
        const literal = this.#literal(at);
        const ends = literal !== undefined && (literal.next === end || this.#isChar(literal.next, CHAR.COMMA));
        if (ends) found.push({ how: "inserted", column, ...place(literal) });
        at = this.#behindComma(at, end);
      }
      index = this.#isChar(end + 1, CHAR.COMMA) ? end + 2 : end + 1;
    }
    return found;
  }

  #equal(index: number, how: ColumnLiteral["how"]): ColumnLiteral | undefined {
    const left = this.#nameBefore(index);
    if (left !== undefined && this.#beginsTerm(left.first)) {
      const literal = this.#literal(index + 1);
      return literal !== undefined && this.#endsTerm(literal.next)
        ? { how, ...named(left), ...place(literal) }
        : undefined;
    }
    const right = this.#nameAt(index + 1);
    const literal = this.#literalBefore(index);
    const plain = right !== undefined && literal !== undefined && this.#endsTerm(right.next);
    return plain ? { how, ...named(right), ...place(literal) } : undefined;
  }

  #list(index: number): ColumnLiteral[] {
    const name = this.#nameBefore(index);
    if (name === undefined || !this.#beginsTerm(name.first) || !this.#isChar(index + 1, CHAR.OPEN)) return [];
    const found: ColumnLiteral[] = [];
    for (let at = index + 2; ; ) {
      const literal = this.#literal(at);
      if (literal === undefined) return [];
      found.push({ how: "compared", ...named(name), ...place(literal) });
      if (this.#isChar(literal.next, CHAR.CLOSE)) return found;
      if (!this.#isChar(literal.next, CHAR.COMMA)) return [];
      at = literal.next + 1;
    }
  }

  /** Names in the parentheses that end right before `values`; none where an expression is among them. */
  #columnsBefore(values: number): readonly string[] {
    if (!this.#isChar(values - 1, CHAR.CLOSE)) return [];
    const columns: string[] = [];
    for (let at = values - 2; ; at -= 2) {
      const column = this.#name(at);
      if (column === undefined) return [];
      columns.unshift(column);
      if (this.#isChar(at - 1, CHAR.OPEN)) return columns;
      if (!this.#isChar(at - 1, CHAR.COMMA)) return [];
    }
  }

  /** The column whose name ends right before a token. */
  #nameBefore(index: number): Name | undefined {
    const column = this.#name(index - 1);
    if (column === undefined) return undefined;
    const table = this.#isChar(index - 2, CHAR.DOT) ? this.#name(index - 3) : undefined;
    if (table === undefined) return { column, first: index - 1 };
    const first = this.#isChar(index - 4, CHAR.DOT) ? index - 5 : index - 3;
    return { table, column, first };
  }

  #nameAt(index: number): (Name & { readonly next: number }) | undefined {
    let last = index;
    while (this.#name(last) !== undefined && this.#isChar(last + 1, CHAR.DOT)) last += 2;
    const name = this.#nameBefore(last + 1);
    return name === undefined || name.first !== index ? undefined : { ...name, next: last + 1 };
  }

  #name(index: number): string | undefined {
    const token = this.#tokens[index];
    if (token === undefined || (token.kind !== TOKEN.WORD && token.kind !== TOKEN.QUOTED)) return undefined;
    const free = token.kind === TOKEN.QUOTED || this.#isChar(index - 1, CHAR.DOT) || !RESERVED.has(token.code);
    // No server takes a name of no characters.
    return free && token.name !== "" ? token.name : undefined;
  }

  #literal(index: number): Literal | undefined {
    const sign = this.#isChar(index, CHAR.MINUS) || this.#isChar(index, CHAR.PLUS);
    const charset = this.#isCharset(index);
    let at = sign || charset ? index + 1 : index;
    const introducer = charset || this.#isStringLetter(at);
    if (this.#isStringLetter(at)) at += 1;
    const token = this.#tokens[at];
    const start = this.#tokens[index]?.start ?? 0;
    if (token === undefined) return undefined;
    const constant = token.kind === TOKEN.WORD && CONSTANTS.has(token.code) && !sign && !introducer;
    const { kind, parameter } = token;
    if (kind === TOKEN.PARAMETER && at === index && parameter !== undefined) {
      return { start, end: token.end, parameter, next: at + 1 };
    }
    if (constant || (kind === TOKEN.NUMBER && (charset || !introducer))) return { start, end: token.end, next: at + 1 };
    if (kind !== TOKEN.STRING || sign) return undefined;
    // Strings behind one another are one.
    while (this.#tokens[at + 1]?.kind === TOKEN.STRING) at += 1;
    return { start, end: this.#tokens[at]?.end ?? token.end, next: at + 1 };
  }

  /** `_utf8mb4` in `_utf8mb4'…'`, `_utf8mb4 0x…` and `_utf8mb4 x'…'`. */
  #isCharset(index: number): boolean {
    const token = this.#tokens[index];
    const next = this.#tokens[index + 1];
    if (token?.kind !== TOKEN.WORD || !token.name.startsWith("_")) return false;
    return next?.kind === TOKEN.STRING || next?.kind === TOKEN.NUMBER || this.#isStringLetter(index + 1);
  }

  /** The letter of `n'…'`, `x'…'`, `b'…'`: right before the quote. */
  #isStringLetter(index: number): boolean {
    const token = this.#tokens[index];
    const next = this.#tokens[index + 1];
    if (token?.kind !== TOKEN.WORD || next?.kind !== TOKEN.STRING) return false;
    return /^[nxb]$/i.test(token.name) && token.end === next.start;
  }

  #literalBefore(index: number): Literal | undefined {
    for (const first of [index - 3, index - 2, index - 1]) {
      const literal = this.#literal(first);
      if (literal !== undefined && literal.next === index && this.#beginsTerm(first)) return literal;
    }
    return undefined;
  }

  /** Whether what begins at this token is not the rest of a larger expression. */
  #beginsTerm(index: number): boolean {
    const before = this.#tokens[index - 1];
    if (before === undefined) return true;
    if (before.kind === TOKEN.OPERATOR) return before.code === CHAR.OPEN || before.code === CHAR.COMMA;
    if (before.kind !== TOKEN.WORD) return false;
    if (before.code === KW.AND) return !this.#isAndOfBetween(index - 1);
    return (RESERVED.has(before.code) && !CONSTANTS.has(before.code)) || OPENING_WORD.test(before.name);
  }

  /** `x BETWEEN a AND b = 5` compares what BETWEEN says, not b. */
  #isAndOfBetween(and: number): boolean {
    const depth = this.#tokens[and]?.depth ?? 0;
    for (let at = and - 1; at >= 0; at -= 1) {
      const token = this.#tokens[at];
      if (token === undefined || token.depth < depth) return false;
      if (token.depth > depth || token.kind !== TOKEN.WORD) continue;
      if (/^between$/i.test(token.name)) return true;
      if (token.code !== KW.NOT && token.code !== KW.NULL && RESERVED.has(token.code)) return false;
    }
    return false;
  }

  /** Whether the token ends a comparison: then what stands before it is all of its right side. */
  #endsTerm(index: number): boolean {
    const token = this.#tokens[index];
    if (token === undefined) return true;
    if (token.kind === TOKEN.OPERATOR) return token.code === CHAR.CLOSE || token.code === CHAR.COMMA;
    return token.kind === TOKEN.WORD && !JOINING_WORD.test(token.name);
  }

  #isValues(index: number): boolean {
    return this.#isWord(index, KW.VALUES) || /^value$/i.test(this.#tokens[index]?.name ?? "");
  }

  /** The parenthesis that closes the one at `open`, or the last token. */
  #rowEnd(open: number): number {
    const depth = this.#tokens[open]?.depth ?? 0;
    let at = open + 1;
    while (at < this.#tokens.length - 1 && !(this.#isChar(at, CHAR.CLOSE) && this.#tokens[at]?.depth === depth))
      at += 1;
    return at;
  }

  #behindComma(from: number, end: number): number {
    const depth = this.#tokens[from]?.depth ?? 0;
    let at = from;
    while (at < end && !(this.#isChar(at, CHAR.COMMA) && this.#tokens[at]?.depth === depth)) at += 1;
    return at + 1;
  }

  #isWord(index: number, word: number): boolean {
    const token = this.#tokens[index];
    return token?.kind === TOKEN.WORD && token.code === word;
  }

  #isChar(index: number, code: number): boolean {
    const token = this.#tokens[index];
    return token?.kind === TOKEN.OPERATOR && token.code === code;
  }
}

function named({ table, column }: Name): Pick<ColumnLiteral, "table" | "column"> {
  return table === undefined ? { column } : { table, column };
}

function place({ start, end, parameter }: Literal): Pick<ColumnLiteral, "start" | "end" | "parameter"> {
  return parameter === undefined ? { start, end } : { start, end, parameter };
}
