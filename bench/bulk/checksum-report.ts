import { type BulkTable, tableNamed } from "./bulk-data.ts";

/** What `pt-table-checksum` says of one table. */
export interface TableSums {
  /** With its schema. */
  readonly table: string;
  readonly rows: number;
  readonly errors: number;
  /** Chunks whose sums differ on a replica. */
  readonly diffs: number;
  /** Chunks that were not summed up. */
  readonly skipped: number;
}

/** TS ERRORS DIFFS ROWS DIFF_ROWS CHUNKS SKIPPED TIME TABLE */
const LINE = /^ *\d\d-\d\dT[\d:]+ +(\d+) +(\d+) +(\d+) +\d+ +\d+ +(\d+) +[\d.]+ (\S+)$/gm;

/** The lines of its report, in its order; empty where it has printed none. */
export function readChecksumReport(output: string): readonly TableSums[] {
  return [...output.matchAll(LINE)].map(([, errors, diffs, rows, skipped, table = ""]) => ({
    table,
    rows: Number(rows),
    errors: Number(errors),
    diffs: Number(diffs),
    skipped: Number(skipped),
  }));
}

/**
 * What is not as it is where all rows of just these tables were compared: each table once, with all its rows, without an
 * error or a chunk left out, and with so many chunks that differ; empty where all is.
 *
 * @param differing chunks that differ, by table; none in a table that is not named.
 */
export function faultsOfReport(
  report: readonly TableSums[],
  tables: readonly BulkTable[],
  differing: ReadonlyMap<string, number> = new Map(),
): readonly string[] {
  const faults: string[] = [];
  for (const table of tables) {
    const name = tableNamed(table);
    const lines = report.filter((line) => line.table === name);
    const [line] = lines;
    const diffs = differing.get(name) ?? 0;
    if (line === undefined || lines.length > 1) faults.push(`${name} is named ${lines.length} times`);
    else if (line.rows !== table.rows || line.errors > 0 || line.skipped > 0 || line.diffs !== diffs) {
      faults.push(
        `${name} has ${line.rows} of ${table.rows} rows, ${line.diffs} differing chunks where there are ${diffs}, ` +
          `${line.skipped} chunks left out, ${line.errors} errors`,
      );
    }
  }
  const named = new Set(tables.map(tableNamed));
  for (const { table } of report) if (!named.has(table)) faults.push(`${table} is none of the tables`);
  return faults;
}
