import { describe, expect, test } from "vitest";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import { LongTail, longHead } from "../../../src/sql/long-text.ts";
import { fc } from "../../support/seeded-properties.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false } as const;

const REFUSED_ANYWAY = /does not end|expected|parenthes|exponent that has no digits/;

/** What is said of a text that comes in pieces of this many bytes: its problem, or the tables that its head names. */
function judge(text: string | Buffer, pieceBytes = 7, modes: Parameters<typeof longHead>[1] = MODES): string {
  const bytes = Buffer.from(text);
  const head = longHead(bytes, modes);
  if (head === undefined) return "no head";
  const tail = new LongTail(modes);
  for (let at = head.tailAt; at < bytes.length; at += pieceBytes) tail.read(bytes.subarray(at, at + pieceBytes));
  const problem = tail.end();
  if (problem !== undefined) return problem;
  const [facts] = analyzeSql(head.text, modes);
  if (facts === undefined || facts.touchesEverything) return "everything";
  return `${facts.kind} ${facts.tables.map(({ table }) => table).join(",")}`;
}

describe("a statement whose end has not come", () => {
  test.each([
    ["INSERT INTO t VALUES (1, 'a'), (2, 'b''c\\'d'), (-3, NULL)", "insert t"],
    [
      "insert into s.t (a, `value`) values (0x00ff, x'00'), (_binary 'x', now(6)) on duplicate key update a = values(a)",
      "insert t",
    ],
    ["INSERT INTO t VALUES (1) AS n ON DUPLICATE KEY UPDATE a = n.a + t.b;  ", "insert t"],
    ["REPLACE INTO t SET a = 'SELECT 1 FROM u', b = 2", "replace t"],
    ["/* hint */ INSERT IGNORE INTO t (a) VALUES (uuid_to_bin('x', 1))", "insert t"],
    ["UPDATE a JOIN b ON a.x = b.x SET a.y = CASE a.x WHEN 1 THEN 'x' END WHERE b.z IN (1, 2)", "update a,b"],
    ["DELETE FROM t WHERE id IN (1,2,3) ORDER BY id LIMIT 5", "delete t"],
    ["SELECT a, 'FROM u' FROM t, u WHERE id IN (1,2,3) GROUP BY a", "select t,u"],
    ["INSERT INTO t SELECT a FROM u WHERE id IN (1, 2)", "insert t,u"],
    ["INSERT INTO t VALUES (1.5e3, .5E-3, 0xAbF0, 0b0101, 1.e5, 007)", "insert t"],
    ["UPDATE t SET a = t.from + t.1from + `t`.select", "update t"],
    ["INSERT INTO t VALUES (5 --1), (2 - -1), (3 / 2 * 1)", "insert t"],
    ['INSERT INTO t VALUES ("it\'s", "a\\"b", `c`)', "insert t"],
  ])("names its tables ahead of its values: %s", (text, expected) => {
    for (const piece of [1, 2, 7, 1000]) expect(judge(text, piece)).toBe(expected);
  });

  test.each([
    ["INSERT INTO t VALUES (1, (SELECT a FROM u))", "SELECT"],
    ["INSERT INTO t VALUES (1), ((TABLE u))", "TABLE"],
    ["SELECT a FROM t WHERE a = 1 UNION SELECT a FROM u", "UNION"],
    ["SELECT a FROM t WHERE a = 1 INTO @x", "INTO"],
    ["INSERT INTO t VALUES (f(1))", "what may be a stored function"],
    ["INSERT INTO t VALUES (s.now(1))", "what may be a stored function"],
    ["INSERT INTO t VALUES (`now`(1))", "what may be a stored function"],
    ["INSERT INTO t VALUES (COUNT (1))", "what may be a stored function"],
    ["INSERT INTO t VALUES (LAST_INSERT_ID(5))", "LAST_INSERT_ID"],
    ["INSERT INTO t VALUES (@a := 1)", "a comment or a variable"],
    ["INSERT INTO t VALUES (1) # (2)", "a comment or a variable"],
    ["INSERT INTO t VALUES (1) /* x */", "a comment"],
    ["INSERT INTO t VALUES (1 /*! + (SELECT 1) */)", "a comment"],
    ["INSERT INTO t VALUES (1) -- x", "a comment"],
    ["INSERT INTO t VALUES (1); DELETE FROM u", "a second statement"],
    ["INSERT INTO t VALUES (1) ; ; ", "a second statement"],
    ["INSERT INTO t VALUES ('a\\\\', (SELECT 1))", "SELECT"],
    ["INSERT INTO t VALUES (.1TABLE u)", "a number and what follows it"],
    ["INSERT INTO t VALUES (1e5TABLE u)", "a number and what follows it"],
    ["SELECT 1 FROM t WHERE a = 1.e5INTO OUTFILE 'x'", "a number and what follows it"],
    ["INSERT INTO t VALUES (1e+5TABLE u)", "a number and what follows it"],
    ["SELECT 1 FROM t WHERE a = 1.UNION TABLE u", "UNION"],
    ["SELECT 1 FROM t WHERE a = .UNION TABLE u", "UNION"],
    ["INSERT INTO t VALUES ($x)", "a name that may be read in several ways"],
  ])("is not known where its rest may touch more: %s", (text, expected) => {
    for (const piece of [1, 2, 7, 1000]) expect(judge(text, piece)).toBe(expected);
  });

  test.each([
    ["SELECT 1 FROM a, b", "its tables may go on"],
    ["SELECT value (1) FROM a AS value, b", "words that may be names end no list of tables"],
    ["SELECT 1 FROM a JOIN b ON VALUES(c) = 1, d", "VALUES is a function in a query"],
    ["INSERT INTO t SELECT VALUES(a) FROM u, v", "the same in an INSERT of a query"],
    ["SELECT 1 FROM (SELECT 1 FROM x WHERE a = 1) d, b", "the end is within parentheses"],
    ["INSERT INTO t VALUE (1)", "VALUE may be a name"],
    ["INSERT INTO `values` (a) VALUE (1)", "a quoted name is no word"],
    ["SELECT t.where FROM t.set, u", "a word behind a dot is a name"],
    ["/*!50000 INSERT INTO t */ ; INSERT INTO u", "the statement has ended"],
  ])("has no head that ends: %s (%s)", (text) => {
    expect(judge(text)).toBe("no head");
  });

  test("is read by the modes of its session", () => {
    const plain = { ...MODES, noBackslashEscapes: true };
    expect(judge("INSERT INTO t VALUES ('a\\', (SELECT 1))", 7, plain)).toBe("SELECT");
    expect(judge("INSERT INTO t VALUES ('a\\', (1))", 7, plain)).toBe("insert t");
    const ansi = { ...MODES, ansiQuotes: true };
    expect(judge('INSERT INTO t VALUES ("f"(1))', 7, ansi)).toBe("what may be a stored function");
    expect(judge("INSERT INTO t VALUES (1)", 7, { ...MODES, charset: "unsafe" })).toBe("no head");
    expect(judge("INSERT INTO t VALUES (ä)", 7, { ...MODES, charset: "other" })).toBe(
      "a name that may be read in several ways",
    );
  });

  test("names no fewer tables than the whole text, wherever the pieces are cut", () => {
    const part = fc.constantFrom(
      ...[
        "(",
        ")",
        ",",
        " ",
        "'",
        '"',
        "`",
        "\\",
        "1",
        "1e5",
        "0x1",
        "a",
        "e",
        "+",
        "UNION ",
        "SELECT",
        " FROM u ",
        "TABLE u",
        "'x'",
        "f(",
        "now()",
        ".",
        ";",
        "--",
        "/*",
        "*/",
        "#",
        "@a",
        "\n",
      ],
    );
    const start = fc.constantFrom(
      "INSERT INTO t VALUES ",
      "UPDATE t SET ",
      "SELECT 1 FROM t WHERE ",
      "DELETE FROM t WHERE ",
    );
    fc.assert(
      fc.property(start, fc.array(part, { maxLength: 14 }), fc.integer({ min: 1, max: 9 }), (begin, parts, piece) => {
        const text = begin + parts.join("");
        if (!/^(insert|update|select|delete) t$/.test(judge(text, piece))) return;
        for (const facts of analyzeSql(Buffer.from(text), MODES)) {
          expect([text, ...facts.tables.map(({ table }) => table)]).toEqual([text, "t"]);
          // Servers refuse what does not end, or what closes more than was opened.
          if (facts.touchesEverything) expect(facts.everythingBecause).toMatch(REFUSED_ANYWAY);
          expect(facts.effects).toEqual([]);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
