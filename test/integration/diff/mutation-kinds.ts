import { createHash } from "node:crypto";

/** Columns of the table in which values are corrupted. */
export const COLUMNS: Readonly<Record<string, string>> = {
  ti: "TINYINT",
  su: "SMALLINT UNSIGNED",
  mi: "MEDIUMINT",
  ii: "INT",
  bi: "BIGINT",
  bu: "BIGINT UNSIGNED",
  de: "DECIMAL(65,30)",
  d2: "DECIMAL(9,2)",
  fl: "FLOAT",
  db: "DOUBLE",
  bt: "BIT(11)",
  bw: "BIT(64)",
  da: "DATE",
  tm: "TIME(6)",
  dt: "DATETIME(6)",
  ts: "TIMESTAMP(6) NULL",
  ye: "YEAR",
  ch: "CHAR(20) COLLATE utf8mb4_bin",
  vc: "VARCHAR(300) COLLATE utf8mb4_0900_ai_ci",
  vp: "VARCHAR(40) COLLATE utf8mb4_general_ci",
  l1: "VARCHAR(40) CHARACTER SET latin1",
  u16: "VARCHAR(40) CHARACTER SET utf16",
  bf: "BINARY(8)",
  vb: "VARBINARY(40)",
  tx: "TEXT",
  bl: "LONGBLOB",
  en: "ENUM('', 'a', 'A ', 'b') COLLATE utf8mb4_0900_as_cs",
  se: "SET('x', 'y', 'z')",
  js: "JSON",
  pt: "GEOMETRY",
  ve: "VECTOR(3)",
  inv: "INT INVISIBLE",
  g1: "INT AS (ii + 1) VIRTUAL",
  g2: "VARCHAR(300) AS (UPPER(vc)) STORED",
};

/** What is corrupted, in which column, and what stands there on the home and on the other side. */
export type ValueKind = readonly [what: string, column: string, home: string, other: string];

const bytes = (length: number, at: number): readonly [string, string] => [
  `REPEAT('q', ${length})`,
  `INSERT(REPEAT('q', ${length}), ${at}, 1, 'p')`,
];
const point = (srid: number): string => `ST_GeomFromText('POINT(1 2)', ${srid})`;

/** None of them is a difference by the rules of some comparison that somebody once thought good enough. */
export const VALUE_KINDS: readonly ValueKind[] = [
  ["the lowest bit of a TINYINT", "ti", "126", "127"],
  ["the sign of a TINYINT", "ti", "1", "-1"],
  ["the highest bit of a SMALLINT UNSIGNED", "su", "0", "32768"],
  ["the last of a MEDIUMINT", "mi", "8388607", "8388606"],
  ["a bit of an INT", "ii", "1073741824", "1073741825"],
  ["a BIGINT beyond 2^53", "bi", "9007199254740992", "9007199254740993"],
  ["the largest BIGINT UNSIGNED", "bu", "18446744073709551615", "18446744073709551614"],
  ["NULL and 0", "ii", "NULL", "0"],
  [
    "the last digit of a long DECIMAL",
    "de",
    "'0.000000000000000000000000000001'",
    "'0.000000000000000000000000000002'",
  ],
  ["a DECIMAL beyond a DOUBLE", "de", "'12345678901234567890.1'", "'12345678901234567890.2'"],
  ["a cent", "d2", "'1000000.01'", "'1000000.02'"],
  ["a FLOAT beyond six digits", "fl", "16777216", "16777215"],
  ["the last bit of a FLOAT", "fl", "0.1", "0.1 + 7.4505806e-9"],
  ["a denormal FLOAT", "fl", "1e-45", "0"],
  ["the sign of a FLOAT zero", "fl", "0e0", "-0e0"],
  ["the last bit of a DOUBLE", "db", "0.3e0", "0.30000000000000004e0"],
  ["the last bit of the largest DOUBLE", "db", "1.7976931348623157e308", "1.7976931348623155e308"],
  ["the smallest DOUBLE and zero", "db", "5e-324", "0e0"],
  ["the sign of a DOUBLE zero", "db", "-0e0", "0e0"],
  ["the highest bit of a BIT", "bt", "b'10000000001'", "b'00000000001'"],
  ["the lowest bit of 64", "bw", "0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFE"],
  ["NULL and no bit", "bt", "NULL", "b'0'"],
  ["a day", "da", "'2024-02-29'", "'2024-02-28'"],
  ["the zero date and NULL", "da", "'0000-00-00'", "NULL"],
  ["the zero date and the month without days", "da", "'0000-00-00'", "'0000-01-00'"],
  ["a microsecond of a TIME", "tm", "'-838:59:58.999999'", "'-838:59:58.999998'"],
  ["the sign of a TIME", "tm", "'00:00:01'", "'-00:00:01'"],
  ["a microsecond of a DATETIME", "dt", "'9999-12-31 23:59:59.499999'", "'9999-12-31 23:59:59.499998'"],
  ["a microsecond of a TIMESTAMP", "ts", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'"],
  ["an hour of a TIMESTAMP, as between time zones", "ts", "'2024-06-01 12:00:00'", "'2024-06-01 13:00:00'"],
  ["an hour that summer time skips", "ts", "'2024-03-31 02:30:00'", "'2024-03-31 03:30:00'"],
  ["the zero TIMESTAMP and NULL", "ts", "0", "NULL"],
  ["YEAR 0 and 2000", "ye", "0", "2000"],
  ["case in a CHAR", "ch", "'a'", "'A'"],
  ["a zero byte behind a CHAR", "ch", "'a'", "'a\\0'"],
  ["case under a collation without", "vc", "'straße'", "'STRAßE'"],
  ["an accent under a collation without", "vc", "'resume'", "'résumé'"],
  ["ss and ß", "vc", "'strasse'", "'straße'"],
  ["a trailing space", "vc", "'x'", "'x '"],
  ["a trailing space under a collation that pads", "vp", "'x'", "'x '"],
  ["a trailing zero byte", "vc", "'x'", "'x\\0'"],
  ["a soft hyphen, which weighs nothing", "vc", "'xy'", "CONCAT('x', _utf8mb4 0xC2AD, 'y')"],
  ["forms of normalisation", "vc", "_utf8mb4 0xC3A9", "_utf8mb4 0x65CC81"],
  ["two emoji that a collation takes for one", "vp", "'😀'", "'😁'"],
  ["an emoji's variation selector", "vc", "_utf8mb4 0xE29DA4", "_utf8mb4 0xE29DA4EFB88F"],
  ["NULL and the empty text", "vc", "NULL", "''"],
  ["NULL and the word NULL", "vc", "NULL", "'NULL'"],
  ["NULL and the text 0", "vc", "NULL", "'0'"],
  ["a text that looks like the next number", "vc", "'1'", "'1.0'"],
  ["a line break", "vc", "'a\\nb'", "'a\\r\\nb'"],
  ["a backslash", "vc", "'a\\\\b'", "'a\\\\\\\\b'"],
  ["a character behind the 128th", "vc", ...bytes(300, 129)],
  ["a character of latin1", "l1", "'é'", "'è'"],
  ["a byte that latin1 does not define", "l1", "_latin1 0x81", "_latin1 0x8D"],
  ["a text of two-byte characters", "u16", "'aZ'", "'az'"],
  ["the last byte of a padded BINARY", "bf", "0x41", "0x4100000000000001"],
  ["a zero byte at the end of a VARBINARY", "vb", "0x41", "0x4100"],
  ["bytes that are no text", "vb", "0xFF", "0xFE"],
  ["the empty VARBINARY and NULL", "vb", "''", "NULL"],
  ["the empty TEXT and NULL", "tx", "''", "NULL"],
  ["the last character of a TEXT", "tx", ...bytes(60_000, 60_000)],
  ["the first byte of a BLOB of 1 MB", "bl", ...bytes(1_048_576, 1)],
  ["a byte behind the 128th of a BLOB", "bl", ...bytes(1_048_576, 129)],
  ["the last byte of a BLOB of 1 MB", "bl", ...bytes(1_048_576, 1_048_576)],
  ["a BLOB that lacks its last byte", "bl", "REPEAT('q', 1048576)", "REPEAT('q', 1048575)"],
  ["the empty ENUM member and the number 0", "en", "''", "0"],
  ["two ENUM members that differ in case", "en", "'a'", "'A '"],
  ["one bit of a SET", "se", "'x,z'", "'x'"],
  ["the empty SET and NULL", "se", "''", "NULL"],
  ["JSON 1 and 1.0", "js", "'1'", "'1.0'"],
  ['JSON 1 and "1"', "js", "'1'", "'\"1\"'"],
  ["JSON null and NULL", "js", "'null'", "NULL"],
  ['JSON null and "null"', "js", "'null'", "'\"null\"'"],
  ["the order of a JSON array", "js", "'[1, 2]'", "'[2, 1]'"],
  ["a nested JSON number's type", "js", `'{"a": [1]}'`, `'{"a": [1.0]}'`],
  ["a JSON integer beyond 2^53", "js", "'9007199254740993'", "'9007199254740992'"],
  ["case of a JSON key", "js", `'{"a": 1}'`, `'{"A": 1}'`],
  [
    "a JSON text and the date of the same characters",
    "js",
    "'\"2024-01-01\"'",
    "CAST(CAST('2024-01-01' AS DATE) AS JSON)",
  ],
  ["a JSON DOUBLE and DECIMAL", "js", "'1.5'", "CAST(CAST(1.5 AS DECIMAL(3,1)) AS JSON)"],
  ["a signed and an unsigned JSON number", "js", "'7'", "CAST(CAST(7 AS UNSIGNED) AS JSON)"],
  ["a DOUBLE and a DECIMAL inside of JSON", "js", `'{"a": [1.5]}'`, "JSON_OBJECT('a', JSON_ARRAY(1.5))"],
  [
    "a time and its text deep inside of JSON",
    "js",
    `'{"a": [[{"b": "10:11:12.000000"}]]}'`,
    "JSON_OBJECT('a', JSON_ARRAY(JSON_ARRAY(JSON_OBJECT('b', CAST('10:11:12' AS TIME)))))",
  ],
  ["a signed and an unsigned number inside of JSON", "js", "'[[7]]'", "JSON_ARRAY(JSON_ARRAY(CAST(7 AS UNSIGNED)))"],
  ["an SRID", "pt", point(0), point(3857)],
  ["the order of coordinates", "pt", "ST_GeomFromText('POINT(1 2)', 0)", "ST_GeomFromText('POINT(2 1)', 0)"],
  ["a polygon's ring begun elsewhere", "pt", polygon("0 0, 0 1, 1 1, 0 0"), polygon("0 1, 1 1, 0 0, 0 1")],
  ["the last bit of a VECTOR's element", "ve", "0x0000803F0000004000004040", "0x0000803F0000004001004040"],
  ["the sign of a VECTOR's zero", "ve", "0x000000000000803F0000803F", "0x000000800000803F0000803F"],
  ["an invisible column", "inv", "5", "6"],
];

function polygon(ring: string): string {
  return `ST_GeomFromText('POLYGON((${ring}))', 0)`;
}

/** Writings of one value: a diff that tells them apart cries wolf. */
export const SAME_VALUES: readonly ValueKind[] = [
  ["the order of JSON keys", "js", `'{"b": 1, "a": 2}'`, `'{"a": 2, "b": 1}'`],
  ["white space of JSON", "js", "'[1,2]'", "'[ 1 , 2 ]'"],
  ["a DECIMAL's trailing zeros", "d2", "'1.5'", "'1.500'"],
  ["spaces behind a CHAR", "ch", "'a'", "'a   '"],
  ["a DATETIME's fraction of zero", "dt", "'2024-01-01 00:00:00'", "'2024-01-01 00:00:00.000000'"],
  ["zero bytes that BINARY adds", "bf", "0x41", "0x4100"],
];

/** A table whose rows or keys are corrupted, and the keys that must be reported. */
export interface RowKind {
  readonly what: string;
  readonly columns: string;
  readonly rows: string;
  readonly corruption: string;
  /** Of each row that differs. */
  readonly keys: readonly string[];
}

const NUMBERS = "id INT PRIMARY KEY, v INT, w INT";
const ROWS = "VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3), (4, 40, 4), (5, 50, 5)";
const WORDS = "k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT";
const numbers = (what: string, corruption: string, ...keys: string[]): RowKind => ({
  what,
  columns: NUMBERS,
  rows: ROWS,
  corruption,
  keys,
});
const words = (what: string, corruption: string, ...keys: string[]): RowKind => ({
  what,
  columns: WORDS,
  rows: "VALUES ('a', 1), ('Bé', 2), ('c', 3), ('d', 4), ('e', 5)",
  corruption,
  keys,
});

/** How a row without a key is named: by the digest of the digests of its fields. */
const content = (...fields: (string | null)[]): string => {
  const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
  return `content ${sha(fields.map((field) => (field === null ? "-" : sha(field))).join("")).slice(0, 16)}`;
};
const heap = (what: string, corruption: string, ...keys: string[]): RowKind => ({
  what,
  columns: "a INT, b VARCHAR(20)",
  rows: "VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, NULL), (2, NULL), (3, '')",
  corruption,
  keys,
});

/** Rows of some ranges of forty, as a fast diff is told to make them in these tests. */
const ranges = (what: string, corruption: string, ...keys: string[]): RowKind => ({
  ...numbers(what, corruption, ...keys),
  rows: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, i, 1 FROM n",
});

/** `T` stands for the table. */
export const ROW_KINDS: readonly RowKind[] = [
  numbers("the first row is missing", "DELETE FROM T WHERE id = 1", "id=1"),
  numbers("the last row is missing", "DELETE FROM T WHERE id = 5", "id=5"),
  numbers("all rows are missing", "DELETE FROM T", "id=1", "id=2", "id=3", "id=4", "id=5"),
  numbers("a row before the first", "INSERT INTO T VALUES (-2147483648, 1, 1)", "id=-2147483648"),
  numbers("a row behind the last", "INSERT INTO T VALUES (2147483647, 1, 1)", "id=2147483647"),
  numbers("a row twice, under another key", "INSERT INTO T SELECT 9, v, w FROM T WHERE id = 3", "id=9"),
  numbers("a row for another", "DELETE FROM T WHERE id = 3; INSERT INTO T VALUES (6, 30, 3)", "id=3", "id=6"),
  numbers(
    "every key moved by one",
    "UPDATE T SET id = id + 1 ORDER BY id DESC",
    "id=1",
    "id=2",
    "id=3",
    "id=4",
    "id=5",
    "id=6",
  ),
  numbers("two rows' values exchanged", "UPDATE T SET v = 60 - v, w = 6 - w WHERE id IN (2, 4)", "id=2", "id=4"),
  {
    ...numbers(
      "two rows' unique values exchanged",
      "UPDATE T SET v = v - 100 WHERE id IN (2, 4); UPDATE T SET v = -40 - v WHERE id IN (2, 4)",
      "id=2",
      "id=4",
    ),
    columns: `${NUMBERS}, UNIQUE KEY (v)`,
  },
  ranges(
    "rows at the ends of ranges are missing",
    "DELETE FROM T WHERE id IN (1, 40, 41, 80)",
    "id=1",
    "id=40",
    "id=41",
    "id=80",
  ),
  ranges(
    "rows of two ranges have exchanged their values",
    "UPDATE T SET v = 90 - v WHERE id IN (40, 50)",
    "id=40",
    "id=50",
  ),
  ranges(
    "rows before and behind a whole range are missing, and one of it",
    "DELETE FROM T WHERE id IN (40, 55, 81)",
    "id=40",
    "id=55",
    "id=81",
  ),
  ranges(
    "a whole range is missing",
    "DELETE FROM T WHERE id BETWEEN 41 AND 80",
    ...Array.from({ length: 40 }, (_, index) => `id=${index + 41}`),
  ),
  ranges(
    "more rows than a range has, behind the last",
    "INSERT INTO T SELECT id + 1000, v, w FROM T WHERE id <= 50",
    ...Array.from({ length: 50 }, (_, index) => `id=${index + 1001}`),
  ),
  numbers("two columns' values exchanged", "UPDATE T SET v = w, w = 30 WHERE id = 3", "id=3"),
  {
    ...numbers("a generated column of another expression", "ALTER TABLE T MODIFY w INT AS (v + 2) VIRTUAL", "id=1"),
    columns: "id INT PRIMARY KEY, v INT, w INT AS (v + 1) VIRTUAL",
    rows: "(id, v) VALUES (1, 1)",
  },
  heap("one of three rows alike is missing", "DELETE FROM T WHERE a = 1 LIMIT 1", content("1", "x")),
  heap("two rows alike, and one of them is there", "INSERT INTO T VALUES (3, ''), (3, '')", content("3", "")),
  heap("the case of one of three", "UPDATE T SET b = 'X' WHERE a = 1 LIMIT 1", content("1", "x"), content("1", "X")),
  heap(
    "NULL for an empty text without a key",
    "UPDATE T SET b = IF(a = 2, '', NULL) WHERE a > 1 LIMIT 3",
    content("2", null),
    content("2", ""),
    content("3", null),
    content("3", ""),
  ),
  words("case in a key", "UPDATE T SET k = 'BÉ' WHERE v = 2", "k=Bé", "k=BÉ"),
  words("an accent in a key", "UPDATE T SET k = 'Be' WHERE v = 2", "k=Bé", "k=Be"),
  words("the first word is missing", "DELETE FROM T WHERE k = 'a'", "k=a"),
  words("a word behind the last", "INSERT INTO T VALUES ('zz', 1)", "k=zz"),
  words(
    "a collation that orders otherwise, and one value",
    "ALTER TABLE T MODIFY k VARCHAR(20) COLLATE utf8mb4_bin; UPDATE T SET v = 9 WHERE k = 'd'",
    "k=d",
  ),
  {
    what: "a trailing space in a key of a collation that pads",
    columns: "k VARCHAR(9) COLLATE latin1_bin PRIMARY KEY, v INT",
    rows: "VALUES ('x', 1), ('y', 2)",
    corruption: "UPDATE T SET k = 'x ' WHERE v = 1",
    keys: ["k=x", "k=x "],
  },
  {
    what: "the second column of a key",
    columns: "a INT, b VARCHAR(9) COLLATE utf8mb4_bin, v INT, PRIMARY KEY (b, a)",
    rows: "VALUES (1, 'x', 1), (2, 'x', 2), (1, 'y', 3)",
    corruption: "UPDATE T SET a = 3 WHERE v = 2",
    keys: ["b=x, a=2", "b=x, a=3"],
  },
  {
    what: "the last bit of a key that is a DOUBLE",
    columns: "k DOUBLE PRIMARY KEY, v INT",
    rows: "VALUES (0.3e0, 1), (1, 2)",
    corruption: "UPDATE T SET k = 0.30000000000000004e0 WHERE v = 1",
    keys: ["k=0.3", "k=0.30000000000000004"],
  },
  {
    what: "the ENUM number 0 in a key",
    columns: "k ENUM('', 'a') PRIMARY KEY, v INT",
    rows: "VALUES ('', 1), ('a', 2)",
    corruption: "UPDATE T SET k = 0 WHERE v = 1",
    keys: ["k=", "k="],
  },
];
