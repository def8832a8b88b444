import { createHash } from "node:crypto";
import { type TableName, tableKey } from "../base/table-name.ts";
import { mappingOf } from "../table/table-mapping.ts";
import type { TableShape } from "../table/table-shape.ts";
import type { KeptTable } from "./diff-keeper.ts";
import type { DiffOptions } from "./diff-options.ts";
import type { SchemaDifference, TableResult } from "./diff-report.ts";
import { type DifferenceCounts, type DifferenceLog, NO_DIFFERENCES } from "./difference-log.ts";
import type { OpenTable } from "./open-table.ts";

/** What the rows of one pair of snapshots have come to so far. */
export interface Compared extends Pick<TableResult, "notCompared" | "notFast"> {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * The comparison of one table, over several pairs of snapshots and over the processes that take it up: each goes on behind
 * the key that the one before had come to. What has been kept is as of the first snapshot or newer.
 */
export class TableRun {
  readonly name: TableName;
  readonly #options: DiffOptions;
  #state: KeptTable | undefined;
  /** Keys that an earlier process had compared. */
  #before = 0;
  /** See `counterDifferences`; undefined before they are asked for. */
  counters: readonly SchemaDifference[] | undefined;

  constructor(name: TableName, options: DiffOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Takes up what an earlier process has kept, if it can go on from there: the file of what it found must be here. */
  adopt(state: KeptTable): boolean {
    if (this.#options.files?.adopt(tableKey(this.name), state) === false) return false;
    this.#state = state;
    this.#before = state.rows;
    this.counters = state.counters;
    return true;
  }

  /** The key that comparing begins behind. */
  get through(): readonly Buffer[] | undefined {
    return this.#state?.through;
  }

  get done(): boolean {
    return this.#state?.done === true;
  }

  get counts(): DifferenceCounts {
    if (this.#state === undefined) return NO_DIFFERENCES;
    const { differences, keys, keysBytes, keysComplete, fileBytes } = this.#state;
    return { differences, keys, keysBytes, keysComplete, fileBytes };
  }

  get rows(): number {
    return this.#state?.rows ?? 0;
  }

  get bytes(): number {
    return this.#state?.bytes ?? 0;
  }

  /** Whether what has been compared was of these definitions, and in this way. */
  isOf(home: TableShape, other: TableShape): boolean {
    return this.#state === undefined || this.#state.definitions === this.#digest(home, other);
  }

  /** Begins anew. */
  async forget(): Promise<void> {
    this.#state = undefined;
    this.#before = 0;
    this.counters = undefined;
    await this.#options.keeper?.forget(this.name);
  }

  /** Keeps what has been compared: all rows up to `through`, or all of the table. */
  async keep(
    table: OpenTable,
    log: DifferenceLog,
    base: Compared,
    now: Compared,
    through: readonly Buffer[] | undefined,
  ): Promise<void> {
    const { keeper, failpoint } = this.#options;
    const { position: verifiedAt, openedTime: verifiedTime, otherPosition: otherAt } = table;
    const first = this.#state ?? { verifiedAt, verifiedTime, otherAt };
    const notFast = now.notFast ?? this.#state?.notFast;
    log.flush();
    this.#state = {
      definitions: this.#digest(table.home.shape, table.other.shape),
      verifiedAt: first.verifiedAt,
      verifiedTime: first.verifiedTime,
      ...(first.otherAt === undefined ? {} : { otherAt: first.otherAt }),
      ...(through === undefined ? {} : { through }),
      done: through === undefined,
      rows: base.rows + now.rows,
      bytes: base.bytes + now.bytes,
      ...(now.notCompared === undefined ? {} : { notCompared: now.notCompared }),
      ...(notFast === undefined ? {} : { notFast }),
      ...(this.counters === undefined ? {} : { counters: this.counters }),
      ...log.counts,
    };
    await keeper?.keep(this.name, this.#state, log.differences.keys);
    log.mark(keeper !== undefined);
    if (keeper !== undefined) await failpoint("diff-after-range-kept");
  }

  /** Right once all of it is compared. */
  get result(): TableResult {
    const { verifiedAt = "", verifiedTime = "", rows = 0, bytes = 0, differences = 0 } = this.#state ?? {};
    const { otherAt, notCompared, notFast } = this.#state ?? {};
    return {
      ...{ table: tableKey(this.name), verifiedAt, verifiedTime },
      ...(otherAt === undefined ? {} : { otherAt }),
      rows,
      ...(this.#before === 0 ? {} : { rowsBefore: this.#before }),
      ...{ bytes, differences },
      ...(notCompared === undefined ? {} : { notCompared }),
      ...(notFast === undefined ? {} : { notFast }),
    };
  }

  #digest(home: TableShape, other: TableShape): string {
    const mapping = mappingOf(this.#options.mappings, this.name) ?? null;
    // What a fast diff has compared counts for no other.
    const how = this.#options.fast === true ? ["fast"] : [];
    return createHash("sha256")
      .update(JSON.stringify([home, other, mapping, ...how]))
      .digest("hex");
  }
}
