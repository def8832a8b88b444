import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { type Random, xorshift } from "./xorshift.ts";

/** The one schema of all tables of the benches; sysbench names its own so. */
export const BULK_SCHEMA = "sbtest";

/** One table that is copied, followed or compared in bulk. */
export interface BulkTable {
  readonly name: string;
  /** `CREATE TABLE` with the primary key and no other, as a copy begins. */
  readonly create: string;
  /** The secondary keys as `ALTER TABLE` adds them; none: the table has none. */
  readonly keys: readonly string[];
  /** Rows of `information_schema.statistics` that the whole table has. */
  readonly keyParts: number;
  readonly rows: number;
  /** The row of this id, from 1 to `rows`, as a line of `LOAD DATA`, with its end. */
  readonly line: (id: number, random: Random) => string;
}

/** Tables with their rows, the same in each run. */
export interface BulkData {
  /** Part of the names of figures: `copy_<name>_seconds`. */
  readonly name: "sysbench" | "fat" | "narrow" | "keys";
  /** What the rows are, for people. */
  readonly about: string;
  readonly tables: readonly BulkTable[];
  /** Files for `LOAD DATA` that each table's rows are spread over, so that two clients have work. */
  readonly filesPerTable: number;
  /**
   * The statements of one transaction that changes rows of a table, which has the ids from 1 to `rows` before and
   * after; undefined where sysbench itself writes.
   */
  readonly change: ((table: BulkTable, random: Random) => readonly string[]) | undefined;
}

export function tableNamed(table: BulkTable): string {
  return `${BULK_SCHEMA}.${table.name}`;
}

export function addKeys(table: BulkTable): string | undefined {
  if (table.keys.length === 0) return undefined;
  return `ALTER TABLE ${tableNamed(table)} ${table.keys.map((key) => `ADD KEY ${key}`).join(", ")}`;
}

const LINES_AT_ONCE = 500;

/** Writes the rows of the ids from `first` to `last` to a file for `LOAD DATA`, the same for the same seed. */
export async function writeRows(
  path: string,
  table: BulkTable,
  first: number,
  last: number,
  seed: number,
): Promise<void> {
  const random = xorshift(seed);
  const file = createWriteStream(path);
  for (let id = first; id <= last; ) {
    let lines = "";
    for (let i = 0; i < LINES_AT_ONCE && id <= last; i++, id++) lines += table.line(id, random);
    if (!file.write(lines)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}
