import { messageOf } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { StreamGate } from "./stream-gate.ts";
import type { StreamStatus, TableProgress } from "./stream-status.ts";

interface Counted {
  rowsCopied: number;
  rowsEstimated: number;
  done: boolean;
  /** How often its copy has begun. */
  beginnings: number;
}

/** What a stream counts as it goes, and how that reads as a status. */
export class StreamProgress {
  readonly #tables: Map<string, Counted>;
  phase: "copying" | "catching-up" | "running" = "copying";
  copied = false;
  appliedTransactions = 0;
  appliedRows = 0;
  drift = 0;
  ddl = 0;
  /** Grows with everything that has been committed for good; two equal readings mean no progress between them. */
  steps = 0;

  constructor(tables: readonly TableName[]) {
    this.#tables = new Map(tables.map((table) => [tableKey(table), nothing()]));
  }

  setTable(key: string, progress: Partial<Counted>): void {
    const table = this.#tables.get(key);
    if (table === undefined) return;
    if (progress.done === true && !table.done) this.steps++;
    Object.assign(table, progress);
  }

  /** @param kept whether the next attempt goes on behind them; those of a table that counts only as a whole are cleared then */
  addRows(key: string, rows: number, kept: boolean): void {
    const table = this.#tables.get(key);
    if (table !== undefined) table.rowsCopied += rows;
    if (kept) this.steps++;
  }

  addApplied(transactions: number, rows: number): void {
    this.appliedTransactions += transactions;
    this.appliedRows += rows;
    this.steps++;
  }

  status(now: {
    readonly gate: StreamGate;
    readonly lagMs: number;
    readonly runwayMs: number | undefined;
    readonly neededBytes: number | undefined;
    readonly closed: boolean;
    readonly failure: unknown;
    /** What an attempt has failed with that was made anew. */
    readonly retrying: unknown;
    readonly waiting: string | undefined;
  }): StreamStatus {
    const tables: TableProgress[] = [...this.#tables].map(([table, { beginnings, ...progress }]) => ({
      table,
      ...progress,
      ...(beginnings > 1 ? { beginnings } : {}),
    }));
    return {
      state: this.#state(now),
      copied: this.copied,
      rowsCopied: tables.reduce((sum, table) => sum + table.rowsCopied, 0),
      rowsEstimated: tables.reduce((sum, table) => sum + table.rowsEstimated, 0),
      tables,
      lagMs: now.lagMs,
      ...(now.runwayMs === undefined ? {} : { runwayMs: now.runwayMs }),
      ...(now.neededBytes === undefined ? {} : { neededBytes: now.neededBytes }),
      appliedTransactions: this.appliedTransactions,
      drift: this.drift,
      ddl: this.ddl,
      executed: now.gate.executed.toString(),
      ...(now.failure === undefined ? {} : { error: messageOf(now.failure) }),
      ...(now.retrying === undefined ? {} : { retrying: messageOf(now.retrying).split("\n")[0] ?? "" }),
      ...(now.waiting === undefined ? {} : { waiting: now.waiting }),
    };
  }

  #state(now: {
    readonly gate: StreamGate;
    readonly closed: boolean;
    readonly failure: unknown;
  }): StreamStatus["state"] {
    if (now.failure !== undefined) return "failed";
    if (now.closed) return "closed";
    if (now.gate.stoppedAt) return "stopped-at";
    if (now.gate.paused) return "paused";
    return this.phase;
  }
}

function nothing(): Counted {
  return { rowsCopied: 0, rowsEstimated: 0, done: false, beginnings: 1 };
}
