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
