import { RateMeter } from "../base/rate-meter.ts";
import { quoteText, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { KeptTable } from "./diff-keeper.ts";
import type { DiffLimits, DiffOptions } from "./diff-options.ts";
import type { DifferenceSample, DiffProgress } from "./diff-report.ts";

interface TableTally {
  rows: number;
  estimated: number;
  differences: number;
  done: boolean;
  samples: readonly DifferenceSample[];
}

/** Rows between two looks at the clock. */
const LOOK_EVERY_ROWS = 512;

/** How far the diff is, over all tables; tells it now and then. */
export class DiffTally {
  readonly #options: DiffOptions;
  readonly #limits: DiffLimits;
  readonly #tables: ReadonlyMap<string, TableTally>;
  readonly #meter: RateMeter;
  #step: DiffProgress["step"] = "waiting for the stream";
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: DiffOptions, limits: DiffLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#meter = new RateMeter(options.clock);
    this.#tables = new Map(
      options.tables.map((name) => [
        tableKey(name),
        { rows: 0, estimated: 0, differences: 0, done: false, samples: [] },
      ]),
    );
  }

  step(step: DiffProgress["step"]): void {
    this.#step = step;
    this.#tell();
  }

  /** Asks the server how many rows it believes the tables to have. */
  async estimate(observer: Connection): Promise<void> {
    const names = this.#options.tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`);
    const rows = await observer.rows(
      `SELECT table_schema AS s, table_name AS t, table_rows AS n FROM information_schema.tables
       WHERE (table_schema, table_name) IN (${names.join(", ")})`,
    );
    for (const row of rows) {
      const tally = this.#tables.get(tableKey({ schema: row["s"] ?? "", table: row["t"] ?? "" }));
      if (tally !== undefined) tally.estimated = Number(row["n"] ?? 0);
    }
  }

  compared(table: string, rows: number, differences: number): void {
    const tally = this.#tables.get(table);
    if (tally === undefined || rows - tally.rows < LOOK_EVERY_ROWS) return;
    tally.rows = rows;
    tally.differences = differences;
    if (this.#options.clock.monotonicMs() - this.#toldMs >= this.#limits.progressIntervalMs) this.#tell();
  }

  /** What an earlier process has compared. */
  before(table: string, { rows, differences, done }: KeptTable): void {
    const tally = this.#tables.get(table);
    if (tally === undefined) return;
    Object.assign(tally, { rows, differences, done });
  }

  /** Nothing of a table counts any more. */
  anew(table: string): void {
    const tally = this.#tables.get(table);
    if (tally !== undefined) Object.assign(tally, { rows: 0, differences: 0, done: false });
  }

  /** Samples of one pair of snapshots of a table. */
  found(table: string, samples: readonly DifferenceSample[]): void {
    const tally = this.#tables.get(table);
    if (tally !== undefined) tally.samples = [...tally.samples, ...samples].slice(0, this.#limits.samplesMax);
  }

  finished(table: string, rows: number, differences: number): void {
    const tally = this.#tables.get(table);
    if (tally === undefined) return;
    Object.assign(tally, { rows, differences, done: true });
    this.#tell();
  }

  /** The first differences of all tables. */
  samples(): DifferenceSample[] {
    return [...this.#tables.values()].flatMap((tally) => tally.samples).slice(0, this.#limits.samplesMax);
  }

  #tell(): void {
    this.#toldMs = this.#options.clock.monotonicMs();
    const tables = [...this.#tables].map(([table, { rows, estimated, done }]) => ({
      table,
      rowsCompared: rows,
      rowsEstimated: done ? rows : Math.max(rows, estimated),
      done,
    }));
    const tallies = [...this.#tables.values()];
    const rowsCompared = tables.reduce((sum, one) => sum + one.rowsCompared, 0);
    const rowsEstimated = tables.reduce((sum, one) => sum + one.rowsEstimated, 0);
    const rowsPerSecond = Math.round(this.#meter.rate(rowsCompared));
    const left = rowsEstimated - rowsCompared;
    this.#options.onProgress?.({
      step: this.#step,
      rowsCompared,
      rowsEstimated,
      rowsPerSecond,
      ...(rowsPerSecond > 0 && left > 0 ? { leftMs: Math.round((left / rowsPerSecond) * 1000) } : {}),
      differences: tallies.reduce((sum, { differences }) => sum + differences, 0),
      tables,
    });
  }
}
