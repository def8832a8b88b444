import type { MysqlServer } from "../servers/mysql-server.ts";
import { readLedger } from "./ledger.ts";
import { readWrittenTables } from "./read-rows.ts";
import { type Predicted, type Prediction, replay } from "./replay.ts";
import { keyText, type Values, WRITTEN_TABLES, type WrittenTable } from "./written-tables.ts";

export interface Verdict {
  /** Rows of the final home that were compared with a prediction. */
  rows: number;
  /** Acknowledged writes whose effect is not there. */
  lost: number;
  /** Writes whose effect is there more than once, or though they were refused. */
  doubled: number;
  /** Up to {@link SAMPLES_MAX} findings, for people. */
  readonly samples: string[];
}

const SAMPLES_MAX = 20;

/** Compares every row of the written tables with what the ledger predicts. */
export function compareWithPrediction(prediction: Prediction, actual: ReadonlyMap<string, readonly Values[]>): Verdict {
  const verdict: Verdict = { rows: 0, lost: 0, doubled: 0, samples: [] };
  for (const table of WRITTEN_TABLES) {
    const predicted = prediction.tables.get(table.table);
    if (predicted === undefined) throw new Error(`nothing is predicted for ${table.table}`);
    compareTable(table, predicted, prediction.unknownWrites, actual.get(table.table) ?? [], verdict);
  }
  return verdict;
}

/** Reads the ledger and the final home, and compares them. */
export async function verifyLedger(
  initial: ReadonlyMap<string, readonly Values[]>,
  ledgerPath: string,
  home: MysqlServer,
): Promise<Verdict> {
  return compareWithPrediction(replay(initial, readLedger(ledgerPath)), await readWrittenTables(home));
}

function compareTable(
  table: WrittenTable,
  predicted: Predicted,
  unknownWrites: ReadonlySet<string>,
  rows: readonly Values[],
  verdict: Verdict,
): void {
  const seen = new Set<string>();
  for (const row of rows) {
    verdict.rows++;
    const key = keyText(table, row);
    seen.add(key);
    if (predicted.undecided.has(key)) continue;
    const expected = predicted.rows.get(key);
    if (expected !== undefined) compareRow(table, expected, row, verdict);
    else if (!unknownWrites.has(`${row["client"]}/${row["sequence"]}`)) unexpectedRow(table, predicted, row, verdict);
  }
  for (const [key, expected] of predicted.rows) {
    if (seen.has(key) || predicted.undecided.has(key)) continue;
    verdict.lost++;
    note(verdict, `${table.table}: this row is missing: ${JSON.stringify(expected)}`);
  }
}

function compareRow(table: WrittenTable, expected: Values, row: Values, verdict: Verdict): void {
  const columns = table.columns.filter((column) => expected[column] !== row[column]);
  if (columns.length === 0) return;
  const more = table.counter === undefined ? 0 : Number(row[table.counter]) - Number(expected[table.counter]);
  if (more > 0) verdict.doubled += more;
  else verdict.lost += Math.max(1, -more);
  const facts = columns.map((column) => `${column} is ${show(row[column])}, predicted ${show(expected[column])}`);
  note(verdict, `${table.table} ${JSON.stringify(keyText(table, row).split("\u0000"))}: ${facts.join("; ")}`);
}

function unexpectedRow(table: WrittenTable, predicted: Predicted, row: Values, verdict: Verdict): void {
  if (predicted.deleted.has(keyText(table, row))) {
    verdict.lost++;
    note(verdict, `${table.table}: this row was deleted, and is there: ${JSON.stringify(row)}`);
  } else {
    verdict.doubled++;
    note(verdict, `${table.table}: no acknowledged write explains this row: ${JSON.stringify(row)}`);
  }
}

function show(value: string | null | undefined): string {
  return value === null || value === undefined ? "NULL" : JSON.stringify(value);
}

function note(verdict: Verdict, text: string): void {
  if (verdict.samples.length < SAMPLES_MAX) verdict.samples.push(text);
}
