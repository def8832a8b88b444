import { BULK_SCHEMA, type BulkData, type BulkTable } from "./bulk-data.ts";
import type { Random } from "./xorshift.ts";

/** The shape of sysbench's tables: how many, and how many rows in each. */
export interface SysbenchSize {
  readonly tables: number;
  readonly rowsPerTable: number;
}

const C_GROUPS = 10;
const PAD_GROUPS = 5;

/** The tables as `sysbench oltp_write_only prepare` makes them, with rows like its own: random groups of digits. */
export function sysbenchRows({ tables, rowsPerTable }: SysbenchSize): BulkData {
  return {
    name: "sysbench",
    about: `${tables} tables of ${rowsPerTable} rows, with sysbench's columns and keys`,
    tables: Array.from({ length: tables }, (_, index) => table(index + 1, rowsPerTable)),
    filesPerTable: 1,
    change: undefined,
  };
}

function table(number: number, rows: number): BulkTable {
  const name = `sbtest${number}`;
  return {
    name,
    create:
      `CREATE TABLE ${BULK_SCHEMA}.${name} (id int NOT NULL AUTO_INCREMENT, k int NOT NULL DEFAULT '0', ` +
      "c char(120) NOT NULL DEFAULT '', pad char(60) NOT NULL DEFAULT '', PRIMARY KEY (id)) ENGINE=InnoDB",
    keys: [`k_${number} (k)`],
    keyParts: 2,
    rows,
    line: (id, random) =>
      `${id}\t${(random() % rows) + 1}\t${groups(random, C_GROUPS)}\t${groups(random, PAD_GROUPS)}\n`,
  };
}

function groups(random: Random, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) {
    const digits = `${random() % 100_000}`.padStart(5, "0") + `${random() % 1_000_000}`.padStart(6, "0");
    text += i === 0 ? digits : `-${digits}`;
  }
  return text;
}
