import { quoteId, quoteTable } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { KeyRange } from "../table/key-ranges.ts";
import { rowKeyNames } from "../table/row-key.ts";
import type { CopiedTable, CopyState } from "./copy-state.ts";
import { rangeCondition } from "./key-sql.ts";

/** A run of keys to copy by one reader. */
export interface CopyTask {
  readonly table: CopiedTable;
  readonly range: KeyRange;
}

export interface PlanLimits {
  readonly copyReaders: number;
  readonly chunkRowsMax: number;
}

/** Pieces that a large table is cut into for each reader, so that none is idle for long at the end. */
const PIECES_A_READER = 4;
const PIECES_MAX = 64;

/**
 * What is left to copy of a table, cut into pieces of about equal width where the key begins with a number. `connection` reads
 * the snapshot that is going to be copied.
 */
export async function planCopy(
  connection: Connection,
  state: CopyState,
  table: CopiedTable,
  estimates: ReadonlyMap<string, number>,
  limits: PlanLimits,
): Promise<CopyTask[]> {
  const tasks: CopyTask[] = [];
  for (const range of state.gaps(table)) {
    const pieces = await split(connection, table, range, estimates.get(table.key) ?? 0, limits);
    for (const piece of pieces) tasks.push({ table, range: piece });
  }
  return tasks;
}

async function split(
  connection: Connection,
  table: CopiedTable,
  range: KeyRange,
  rows: number,
  limits: PlanLimits,
): Promise<KeyRange[]> {
  const columns = rowKeyNames(table.shape);
  const first = columns[0];
  const kinds = table.kinds;
  const wanted = Math.min(PIECES_MAX, limits.copyReaders * PIECES_A_READER, Math.floor(rows / limits.chunkRowsMax));
  if (kinds === undefined || first === undefined || kinds[0]?.kind !== "integer" || wanted < 2) return [range];
  const name = quoteId(first);
  const condition = rangeCondition(columns, kinds, range);
  const row = await connection.one(
    `SELECT MIN(${name}) AS low, MAX(${name}) AS high FROM ${quoteTable(table.name)}${condition === "" ? "" : ` WHERE ${condition}`}`,
  );
  if (row?.["low"] == null || row["high"] == null) return [range];
  return cut(range, BigInt(row["low"]), BigInt(row["high"]), wanted);
}

/** Cuts at whole values of the first column: all keys that begin with a value stay together. */
function cut(range: KeyRange, low: bigint, high: bigint, wanted: number): KeyRange[] {
  const pieces: KeyRange[] = [];
  let after = range.after;
  let last = low - 1n;
  for (let i = 1; i < wanted; i++) {
    const at = low + ((high - low) * BigInt(i)) / BigInt(wanted);
    if (at <= last || at >= high) continue;
    const small = Number(at);
    const bound = [Number.isSafeInteger(small) ? small : at];
    pieces.push({ after, through: bound });
    after = bound;
    last = at;
  }
  pieces.push({ after, through: range.through });
  return pieces;
}
