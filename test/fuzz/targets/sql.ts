import { analyzeSql } from "../../../src/sql/classifier.ts";
import { type ColumnLiteral, columnLiterals } from "../../../src/sql/column-literals.ts";
import type { SqlModes, StatementFacts } from "../../../src/sql/statement.ts";
import { TOKEN, Tokenizer } from "../../../src/sql/tokenizer.ts";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { expectThat } from "../promise.ts";

const CHARSETS = ["utf8", "other", "unsafe"] as const;

export const target: FuzzTarget = {
  // A text is never refused: what is not understood touches everything.
  errors: [],
  dictionary: [
    ..."SELECT FROM WHERE JOIN INSERT INTO VALUES UPDATE SET DELETE WITH RECURSIVE UNION TABLE LOCK CALL PREPARE".split(
      " ",
    ),
    ...[
      "/*!80000 ",
      "/*!999999 ",
      "/*+ ",
      "*/",
      "-- ",
      "#",
      "'",
      '"',
      "`",
      "\\'",
      "''",
      "$$",
      "$q$",
      "_utf8mb4'",
      "_binary 0xff",
      "N'",
      " = 5",
      " IN (1, 'a', ?)",
      " AND ",
      " BETWEEN ",
    ],
    ...["0x1f", "x'00'", "b'1'", "1e5", ".5", "@@", "@`a`", ":=", ";", ".", "(", ")", ",", "{ts '", "\0", "\xff"],
  ].map((text) => Buffer.from(text, "latin1")),
  corpus: () => SQL_CORPUS.map((text, index) => Buffer.concat([Buffer.from([index & 0x1f]), Buffer.from(text)])),
  run(input) {
    const bits = input[0] ?? 0;
    const text = input.subarray(1);
    const modes: SqlModes = {
      ansiQuotes: (bits & 1) !== 0,
      noBackslashEscapes: (bits & 2) !== 0,
      ignoreSpace: (bits & 4) !== 0,
      charset: CHARSETS[(bits >> 3) % CHARSETS.length] ?? "utf8",
    };
    const statements = analyzeSql(text, modes);
    let end = 0;
    for (const facts of statements) {
      expectThat(facts.start >= end && facts.end >= facts.start && facts.end <= text.length, "statements overlap");
      end = facts.end;
      for (const { table } of facts.tables) {
        expectThat(table.length <= text.length, "a table has a name that is longer than the text");
      }
      if (facts.readOnly) {
        expectThat(
          facts.tables.every(({ write }) => !write),
          "a statement that only reads writes to a table",
        );
      }
      checkLiterals(text, facts, modes);
    }
  },
};

/** Literals that are read again alone, of one statement. */
const AGAIN_MAX = 4;

function checkLiterals(text: Buffer, facts: StatementFacts, modes: SqlModes): void {
  const literals = columnLiterals(text, facts, modes);
  if (literals.length === 0) return;
  const tokens = tokensOf(text.subarray(0, facts.end), facts.start, modes);
  let end = facts.start;
  for (const [index, literal] of literals.entries()) {
    expectThat(literal.start >= end && literal.end > literal.start && literal.end <= facts.end, "literals overlap");
    end = literal.end;
    expectThat(literal.column.length > 0, "a literal stands against a column without a name");
    const parts = tokens.filter((token) => token.start >= literal.start && token.end <= literal.end);
    expectThat(parts[0]?.start === literal.start && parts.at(-1)?.end === literal.end, "a literal cuts a token");
    expectThat(isLiteral(parts, text), "what is given as a literal is none");
    if (index < AGAIN_MAX) readAlone(text.subarray(literal.start, literal.end), literal, modes);
  }
}

interface SeenToken {
  readonly kind: number;
  readonly start: number;
  readonly end: number;
}

/** By the tokens alone: a parameter, a number, a word that is a constant, or strings, with what may stand before. */
function isLiteral(tokens: readonly SeenToken[], text: Buffer): boolean {
  const shape = tokens.map(({ kind, start, end }) => {
    if (kind === TOKEN.STRING) return "s";
    if (kind === TOKEN.NUMBER) return "d";
    if (kind === TOKEN.PARAMETER) return "?";
    const written = text.toString("latin1", start, end);
    if (/^(null|true|false)$/i.test(written)) return "c";
    if (/^_/.test(written)) return "_";
    return /^[nxb]$/i.test(written) ? "l" : /^[+-]$/.test(written) ? "+" : "!";
  });
  return /^(\?|c|\+?d|_d|_?l?s+)$/.test(shape.join(""));
}

/** A literal means the same wherever it stands: behind a comparison of its own it is found again, whole. */
function readAlone(written: Buffer, literal: ColumnLiteral, modes: SqlModes): void {
  // Half of a comment that executes may lie in it.
  if (written.includes("*/") || written.includes("/*")) return;
  const before = Buffer.from("SELECT 1 FROM t WHERE c = ");
  const text = Buffer.concat([before, written]);
  const facts = analyzeSql(text, modes);
  const [again, ...more] = facts.length === 1 && facts[0] !== undefined ? columnLiterals(text, facts[0], modes) : [];
  expectThat(
    again?.start === before.length && again.end === text.length && more.length === 0,
    "alone it is no literal",
  );
  expectThat((again.parameter === undefined) === (literal.parameter === undefined), "alone it is of another kind");
}

function tokensOf(text: Buffer, start: number, modes: SqlModes): readonly SeenToken[] {
  const lexer = new Tokenizer(text, modes);
  lexer.reset({ ...lexer.mark(), pos: start });
  const tokens: SeenToken[] = [];
  for (let kind = lexer.next(); kind !== TOKEN.END && kind !== TOKEN.BAD; kind = lexer.next()) {
    tokens.push({ kind, start: lexer.start, end: lexer.end });
  }
  return tokens;
}
