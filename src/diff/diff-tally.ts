import { quoteText, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { DiffOptions } from "./diff-options.ts";
import type { DifferenceSample, DiffProgress } from "./diff-report.ts";
import type { DifferenceLog } from "./difference-log.ts";

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
  readonly #intervalMs: number;
  readonly #tables: ReadonlyMap<string, TableTally>;
  #step: DiffProgress["step"] = "waiting for the stream";
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: DiffOptions, intervalMs: number) {
    this.#options = options;
    this.#intervalMs = intervalMs;
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
    if (this.#options.clock.monotonicMs() - this.#toldMs >= this.#intervalMs) this.#tell();
  }

  finished(table: string, rows: number, log: DifferenceLog): void {
    const tally = this.#tables.get(table);
    if (tally === undefined) return;
    Object.assign(tally, { rows, differences: log.count, done: true, samples: log.samples });
    this.#tell();
  }

  /** The first differences of all tables. */
  samples(max: number): DifferenceSample[] {
    return [...this.#tables.values()].flatMap((tally) => tally.samples).slice(0, max);
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
    this.#options.onProgress?.({
      step: this.#step,
      rowsCompared: tables.reduce((sum, { rowsCompared }) => sum + rowsCompared, 0),
      rowsEstimated: tables.reduce((sum, { rowsEstimated }) => sum + rowsEstimated, 0),
      differences: tallies.reduce((sum, { differences }) => sum + differences, 0),
      tables,
    });
  }
}
