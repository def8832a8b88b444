import { describe, expect, test } from "vitest";
import { isSwitchyardError } from "../../../src/base/errors.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import { fc } from "../../support/seeded-properties.ts";
import { PLAIN, tablesOf } from "./sql-facts.ts";

/** Pieces that a text can be made of, chosen to meet every branch of the reader. */
const PIECE = fc.constantFrom(
  ..."select from where join on using insert into values update set delete table with as recursive union all order by"
    .split(" ")
    .concat(
      "create alter drop rename to lock tables show explain load data infile for index group limit lateral begin".split(
        " ",
      ),
    )
    .concat([
      "(",
      ")",
      ",",
      ".",
      ";",
      "=",
      ":=",
      "'",
      '"',
      "`",
      "--",
      "-- ",
      "#",
      "/*",
      "*/",
      "/*!",
      "/*!80000 ",
      "/*+",
      "\\",
    ])
    .concat(["a", "b.c", "`d e`", "'f'", "1", "1.5", ".5", "@x", "@@y", "?", "{", "}", "$q$", "é", "f(", "\n", "\0"]),
);

const MODES = fc.record({
  ansiQuotes: fc.boolean(),
  noBackslashEscapes: fc.boolean(),
  charset: fc.constantFrom("utf8" as const, "other" as const, "unsafe" as const),
});

describe("any text", () => {
  test("is read to its end without an error that is not in the catalogue", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), MODES, (bytes, modes) => {
        expectRead(Buffer.from(bytes), modes);
      }),
      { numRuns: 3000 },
    );
  });

  test("made of the pieces of SQL is, too", () => {
    fc.assert(
      fc.property(fc.array(PIECE, { maxLength: 40 }), MODES, (pieces, modes) => {
        expectRead(Buffer.from(pieces.join(" ")), modes);
        expectRead(Buffer.from(pieces.join("")), modes);
      }),
      { numRuns: 5000 },
    );
  });
});

function expectRead(text: Buffer, modes: Parameters<typeof analyzeSql>[1]): void {
  let facts: ReturnType<typeof analyzeSql>;
  try {
    facts = analyzeSql(text, modes);
  } catch (error) {
    if (isSwitchyardError(error, "SQL_TOO_MANY_STATEMENTS")) return;
    throw error;
  }
  let end = 0;
  for (const [index, statement] of facts.entries()) {
    expect(statement.start).toBe(index === 0 ? 0 : end + 1);
    expect(statement.end).toBeGreaterThanOrEqual(statement.start);
    end = statement.end;
  }
  expect(end).toBeLessThanOrEqual(text.length);
}

/** A query of a known shape: its text as pieces between which anything blank may stand, and its tables. */
interface Query {
  readonly pieces: readonly string[];
  readonly tables: readonly string[];
}

const NAME = fc.constantFrom("orders", "items", "status", "x1", "1st", "größe", "Orders");
const SCHEMA = fc.constantFrom("shop", "app", "Shop");
const QUOTE = fc.constantFrom(
  (name: string) => name,
  (name: string) => `\`${name}\``,
);
const TABLE: fc.Arbitrary<Query> = fc
  .record({ schema: fc.option(SCHEMA), table: NAME, quote: QUOTE, alias: fc.constantFrom([], ["as", "q"], ["q2"]) })
  .map(({ schema, table, quote, alias }) => ({
    pieces: schema === null ? [quote(table), ...alias] : [`${quote(schema)}.${quote(table)}`, ...alias],
    tables: [schema === null ? table : `${schema}.${table}`],
  }));

const { query: QUERY } = fc.letrec<{ query: Query; source: Query; condition: Query }>((tie) => ({
  query: fc
    .record({
      first: tie("source"),
      more: fc.array(fc.tuple(JOIN(), tie("source")), { maxLength: 2 }),
      where: tie("condition"),
      tail: TAIL(),
    })
    .map(({ first, more, where, tail }) => ({
      pieces: [
        "select",
        "count(*)",
        ",",
        "extract(year from d)",
        "from",
        ...first.pieces,
        ...more.flatMap(([join, source]) => [...join.before, ...source.pieces, ...join.after]),
        ...where.pieces,
        ...tail,
      ],
      tables: [...first.tables, ...more.flatMap(([, source]) => source.tables), ...where.tables],
    })),
  source: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    TABLE,
    tie("query").map(({ pieces, tables }) => ({ pieces: ["(", ...pieces, ")", "as", "derived"], tables })),
  ),
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant<Query>({ pieces: [], tables: [] }),
    fc.constant<Query>({ pieces: ["where", "a", "=", "' from nowhere, join x'"], tables: [] }),
    tie("query").map(({ pieces, tables }) => ({ pieces: ["where", "a", "in", "(", ...pieces, ")"], tables })),
  ),
}));

function JOIN(): fc.Arbitrary<{ before: string[]; after: string[] }> {
  return fc.constantFrom(
    { before: [","], after: [] },
    { before: ["join"], after: ["on", "a.x", "=", "b.y"] },
    { before: ["left", "join"], after: ["using", "(", "id", ",", "id2", ")"] },
    { before: ["straight_join"], after: [] },
  );
}

function TAIL(): fc.Arbitrary<string[]> {
  return fc.constantFrom<string[][]>(
    [],
    ["order", "by", "a", ",", "b"],
    ["group", "by", "c", ",", "d"],
    ["limit", "1", ",", "2"],
  );
}

const BLANK = fc.constantFrom(
  " ",
  "\n\t",
  "/* from hidden */",
  " -- join hidden\n",
  " # '\n",
  "/*!*/",
  "/*!50000 */",
  "  ",
);

describe("a query whose tables are known", () => {
  test("has these tables, however it is spaced, commented, cased and quoted", () => {
    fc.assert(
      fc.property(
        QUERY,
        fc.array(BLANK, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        ({ pieces, tables }, blanks, upper) => {
          const sql = pieces
            .map(
              (piece, i) =>
                `${upper && /^[a-z]+$/.test(piece) && KEYWORDS.has(piece) ? piece.toUpperCase() : piece}${blanks[i % blanks.length]}`,
            )
            .join("");
          expect(tablesOf(sql, PLAIN).split(" ").filter(Boolean).sort()).toEqual([...tables].sort());
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("keeps them as the source of another statement", () => {
    fc.assert(
      fc.property(QUERY, ({ pieces, tables }) => {
        const sql = pieces.join(" ");
        for (const before of ["insert into zz", "create table zz as", "explain", "create view zz as", "replace zz"]) {
          const found = tablesOf(`${before} ${sql}`)
            .split(" ")
            .filter((name) => name !== "" && name !== "zz!");
          expect(found.sort()).toEqual([...tables].sort());
        }
      }),
      { numRuns: 300 },
    );
  });
});

const KEYWORDS = new Set("select from join left using where in order by group limit as straight_join".split(" "));
