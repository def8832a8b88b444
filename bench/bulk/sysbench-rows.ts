import { once } from "node:events";
import { createWriteStream } from "node:fs";

/** The shape of the tables that a bench copies: how many, and how many rows in each. */
export interface SysbenchSize {
  readonly tables: number;
  readonly rowsPerTable: number;
}

export const SYSBENCH_SCHEMA = "sbtest";

export const tableNames = ({ tables }: SysbenchSize): string[] =>
  Array.from({ length: tables }, (_, i) => `sbtest${i + 1}`);

/** A table as `sysbench oltp_write_only prepare` makes it; its secondary key apart, because some add it later. */
export function createTable(table: string): string {
  return (
    `CREATE TABLE ${SYSBENCH_SCHEMA}.${table} (id int NOT NULL AUTO_INCREMENT, k int NOT NULL DEFAULT '0', ` +
    "c char(120) NOT NULL DEFAULT '', pad char(60) NOT NULL DEFAULT '', PRIMARY KEY (id)) ENGINE=InnoDB"
  );
}

export function addKey(table: string): string {
  return `ALTER TABLE ${SYSBENCH_SCHEMA}.${table} ADD KEY k_${table.replace(/\D/g, "")} (k)`;
}

const GROUP_DIGITS = 11;
const C_GROUPS = 10;
const PAD_GROUPS = 5;
const LINES_AT_ONCE = 2000;

/**
 * Writes the rows of one table as a file for `LOAD DATA`: random groups of digits, as sysbench's own rows are, the
 * same for the same seed.
 */
export async function writeRows(path: string, rows: number, seed: number): Promise<void> {
  const random = xorshift(seed);
  const groups = (count: number): string => {
    let text = "";
    for (let i = 0; i < count; i++) {
      const digits = `${random() % 100_000}`.padStart(5, "0") + `${random() % 1_000_000}`.padStart(6, "0");
      text += i === 0 ? digits : `-${digits}`;
    }
    return text;
  };
  const file = createWriteStream(path);
  for (let id = 1; id <= rows; ) {
    let lines = "";
    for (let i = 0; i < LINES_AT_ONCE && id <= rows; i++, id++) {
      lines += `${id}\t${(random() % rows) + 1}\t${groups(C_GROUPS)}\t${groups(PAD_GROUPS)}\n`;
    }
    if (!file.write(lines)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}

/** What one row takes in the text of a `LOAD DATA` file without its two numbers. */
export const ROW_TEXT_BYTES = (C_GROUPS + PAD_GROUPS) * (GROUP_DIGITS + 1);

/** Marsaglia's generator of 32 bits; none of the seeds may be 0. */
function xorshift(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
