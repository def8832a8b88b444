import { type TableName, tableKey } from "../../../src/base/table-name.ts";
import type { DiffKeeper, KeptTable } from "../../../src/diff/diff-keeper.ts";

export const EVERY_TYPE = `id BIGINT UNSIGNED PRIMARY KEY, ti TINYINT, si SMALLINT, mi MEDIUMINT UNSIGNED, i INT, de DECIMAL(30,10),
  f FLOAT, d DOUBLE, da DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, tm TIME(2), y YEAR, c CHAR(10), vc VARCHAR(200),
  l1 VARCHAR(40) CHARACTER SET latin1, bi BINARY(6), vb VARBINARY(100), tx TEXT, bl BLOB, e ENUM('', 'a', 'b'),
  s SET('x', 'y', 'z'), b BIT(11), j JSON, g BIGINT GENERATED ALWAYS AS (i * 2) VIRTUAL, gs VARCHAR(60) AS (UPPER(vc)) STORED,
  p POINT, inv INT INVISIBLE`;
export const EVERY_VALUE = `(id, ti, si, mi, i, de, f, d, da, dt, ts, tm, y, c, vc, l1, bi, vb, tx, bl, e, s, b, j, p, inv) VALUES
  (1, -128, -32768, 16777215, 2147483647, '-12345678901234567890.0123456789', 0.1, -0e0, '2024-02-29',
   '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.123', '-838:59:59.00', 2155, 'c', 'värchar 😀', 'é', X'00FF', X'0001',
   'text', X'00', 'a', 'x,z', b'10000000001', '{"b": [1, 1.0, null], "a": "x"}', ST_GeomFromText('POINT(1 2)', 0), 5),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL),
  (18446744073709551615, 0, 0, 0, 0, 0, 3.402823466e38, 5e-324, '1000-01-01', '1000-01-01', '1970-01-01 00:00:01', '00:00:00',
   1901, '', '', '', '', '', '', '', '', '', 0, 'null', ST_GeomFromText('POINT(0 0)', 4326), NULL)`;

/** Changes of the first row of {@link EVERY_VALUE}, and what both sides then have in the column. */
export const BITS: [what: string, change: string, column: string, source: string | null, target: string | null][] = [
  ["the last bit of a FLOAT", "f = f + 7.4505806e-9", "f", "0.10000000149011612", "0.10000000894069672"],
  ["the sign of zero", "d = 0e0", "d", "-0", "0"],
  ["case", "vc = 'Värchar 😀'", "vc", "värchar 😀", "Värchar 😀"],
  ["a trailing space", "vc = 'värchar 😀 '", "vc", "värchar 😀", "värchar 😀 "],
  ["another accent in latin1", "l1 = 'e'", "l1", "é", "e"],
  [
    "a microsecond",
    "dt = '9999-12-31 23:59:59.999998'",
    "dt",
    "9999-12-31 23:59:59.999999",
    "9999-12-31 23:59:59.999998",
  ],
  [
    "an hour that time zones hide",
    "ts = '2024-03-31 03:30:00.123'",
    "ts",
    "2024-03-31 02:30:00.123",
    "2024-03-31 03:30:00.123",
  ],
  [
    "a JSON number's type",
    // In one step the server would not store it: to an UPDATE the two are the same.
    `j = NULL WHERE id = 1; UPDATE t.every SET j = '{"b": [1, 1, null], "a": "x"}'`,
    "j",
    '{"a": "x", "b": [1, 1.0, null]}',
    '{"a": "x", "b": [1, 1, null]}',
  ],
  ["a bit", "b = b'10000000000'", "b", "0x0401", "0x0400"],
  ["a padded byte", "bi = X'00FF0000000001'", "bi", "0x00FF00000000", "0x00FF00000000"],
  ["an empty BLOB for NULL", "bl = NULL", "bl", "0x00", null],
  ["an invisible column", "inv = 6", "inv", "5", "6"],
  ["an SRID", "p = ST_GeomFromText('POINT(1 2)', 3857)", "p", "0x00000000", "0x110F0000"],
];

/** Tables whose keys are of every kind: columns, key, and rows of its values. */
export const KEYS: readonly (readonly [columns: string, key: string, ...rows: string[]])[] = [
  ["a TIME(2), b YEAR", "a, b", "'-838:59:59', 1901", "'-00:00:01', 2000", "'00:00:00', 2000", "'10:00:00.50', 1999"],
  ["a DECIMAL(20,4), b BIT(9)", "a, b", "-10.5, 3", "-10.5, 256", "0, 0", "9, 1", "10, 0"],
  ["a VARBINARY(9), b BINARY(3)", "a, b", "'', 'x'", "X'00', 'x'", "'a', ''", "'a', 'b'", "X'ff', 'z'"],
  ["a VARCHAR(9) COLLATE utf8mb4_0900_ai_ci", "a", "''", "'a'", "'Ä b'", "'B'", "'ß'", "'😀'", "'Z'"],
  ["a CHAR(9) COLLATE latin1_swedish_ci, b INT", "a, b", "'a', -1", "'A', 0", "'ä', 7", "'z', 1"],
  ["a ENUM('z', 'a', ''), b SET('y', 'x')", "a, b", "'z', ''", "'z', 'x'", "'a', 'x,y'", "'', 'y'"],
  ["a DOUBLE, b FLOAT", "a, b", "-1e300, 0.1", "-0.5, 0.1", "0, 0", "1, 16777216", "1, 1.5"],
  [
    "a DATETIME(6), b DATE, c BIGINT UNSIGNED",
    "c, a, b",
    ...[1, 2, 3].map((n) => `'2024-01-0${n}', '2000-01-01', ${2n ** 64n - BigInt(n)}`),
  ],
  ["a YEAR, b INT", "a, b", "0, 1", "0, 2", "0, 3", "1901, 1", "1999, 1", "2000, 1", "2000, 2"],
];

/** What a sidecar does, in memory. */
export class MemoryKeeper implements DiffKeeper {
  readonly states = new Map<string, KeptTable>();
  readonly keys = new Map<string, number>();

  load = (): Promise<ReadonlyMap<string, KeptTable>> => Promise.resolve(new Map(this.states));
  keep = (table: TableName, state: KeptTable, keys: readonly unknown[]): Promise<void> => {
    this.states.set(tableKey(table), state);
    this.keys.set(tableKey(table), (this.keys.get(tableKey(table)) ?? 0) + keys.length);
    return Promise.resolve();
  };
  forget = (table: TableName): Promise<void> => {
    this.states.delete(tableKey(table));
    this.keys.delete(tableKey(table));
    return Promise.resolve();
  };
}
