import type { Direction } from "../cutover/migration-document.ts";
import type { TableKeys } from "../diff/diff-options.ts";

/** Keys of differences that are kept of one diff. */
const KEYS_MAX = 200_000;

/** What the last diff has found, for a repair. It is kept by the controller that made the diff, and nowhere else. */
export interface FoundDifferences {
  readonly direction: Direction;
  /** On the monotonic clock. */
  readonly foundMs: number;
  readonly tables: readonly TableKeys[];
}

/** Collects what a diff finds, as far as a repair may hold it in memory. */
export class DifferenceCollector {
  readonly tables: TableKeys[] = [];
  #keys = 0;

  readonly add = ({ table, keys, complete }: TableKeys): void => {
    const kept = keys.slice(0, KEYS_MAX - this.#keys);
    this.#keys += kept.length;
    this.tables.push({ table, keys: kept, complete: complete && kept.length === keys.length });
  };
}
