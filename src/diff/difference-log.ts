import { tableKey } from "../base/table-name.ts";
import { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan } from "./comparison-plan.ts";
import type { KeptTable } from "./diff-keeper.ts";
import type { TableKeys } from "./diff-options.ts";
import type { DifferenceKind, DifferenceSample } from "./diff-report.ts";
import type { DifferenceFile } from "./difference-files.ts";
import { differingColumns, readableKey, readableRow, SHOWN_BYTES_MAX } from "./readable-row.ts";

export interface DifferenceLimits {
  readonly samplesMax: number;
  readonly keysBytesMax: number;
}

/** What is counted of a table's differences. */
export type DifferenceCounts = Pick<
  KeptTable,
  "differences" | "keys" | "keysBytes" | "keysComplete" | "fileBytes" | "fileEnded"
>;

export const NO_DIFFERENCES: DifferenceCounts = {
  differences: 0,
  keys: 0,
  keysBytes: 0,
  keysComplete: true,
  fileBytes: 0,
};

/** What a key takes in memory beside its bytes. */
const KEY_OVERHEAD_BYTES = 160;

/**
 * Counts the differences of one table, keeps their keys, writes all of them to a file where there is one, and has the first
 * of them in a form that is short enough for a report.
 */
export class DifferenceLog {
  readonly #plan: ComparisonPlan;
  readonly #homeIsSource: boolean;
  readonly #limits: DifferenceLimits;
  readonly #file: DifferenceFile | undefined;
  readonly #row: TextRow;
  readonly #other: TextRow;
  #keys: Buffer[][] = [];
  #lastKey: readonly Buffer[] | undefined;
  #counts: Omit<DifferenceCounts, "fileBytes" | "fileEnded">;
  /** As of the last {@link mark}. */
  #marked: Omit<DifferenceCounts, "fileEnded">;
  #markedKeys = 0;
  #markedSamples = 0;
  readonly samples: DifferenceSample[] = [];

  /** @param from what an earlier process has counted */
  constructor(
    plan: ComparisonPlan,
    direction: "forward" | "reverse",
    limits: DifferenceLimits,
    file?: DifferenceFile,
    from: DifferenceCounts = NO_DIFFERENCES,
  ) {
    this.#plan = plan;
    this.#homeIsSource = direction === "forward";
    this.#limits = limits;
    this.#file = file;
    this.#row = new TextRow(plan.fieldCount);
    this.#other = new TextRow(plan.fieldCount);
    const { fileBytes, fileEnded: _, ...counts } = from;
    this.#counts = counts;
    this.#marked = { ...counts, fileBytes };
  }

  get count(): number {
    return this.#counts.differences;
  }

  get counts(): DifferenceCounts {
    const { bytes = 0, ended } = this.#file ?? {};
    return { ...this.#counts, fileBytes: bytes, ...(ended === undefined ? {} : { fileEnded: ended }) };
  }

  /** The keys that were kept, from the first on as many as fit; those that nobody else has. */
  get differences(): TableKeys {
    return { table: this.#plan.table, keys: this.#keys, complete: this.#counts.keysComplete };
  }

  /** Writes to the file what is still waiting. */
  flush(): void {
    this.#file?.flush();
  }

  /** Nothing more is told. */
  close(): void {
    this.#file?.close();
  }

  /** What was told so far holds; `taken` where somebody else has the keys of {@link differences} now. */
  mark(taken: boolean): void {
    if (taken) this.#keys = [];
    this.#marked = { ...this.#counts, fileBytes: this.#file?.bytes ?? 0 };
    this.#markedKeys = this.#keys.length;
    this.#markedSamples = this.samples.length;
  }

  /** What was told since the last {@link mark} means nothing. */
  revoke(): void {
    this.#keys.length = this.#markedKeys;
    this.#lastKey = undefined;
    const { fileBytes, ...counts } = this.#marked;
    this.#counts = counts;
    this.#file?.cut(fileBytes);
    this.samples.length = this.#markedSamples;
  }

  homeOnly(home: Buffer): void {
    this.#add(this.#homeIsSource ? "missing-on-target" : "missing-on-source", home, undefined);
  }

  otherOnly(other: Buffer): void {
    this.#add(this.#homeIsSource ? "missing-on-source" : "missing-on-target", undefined, other);
  }

  different(home: Buffer, other: Buffer): void {
    this.#add("different", home, other);
  }

  #add(kind: DifferenceKind, home: Buffer | undefined, other: Buffer | undefined): void {
    this.#counts = { ...this.#counts, differences: this.#counts.differences + 1 };
    const either = home ?? other;
    if (either !== undefined) this.#keepKey(either);
    this.#file?.add(this.#shown(kind, home, other, Number.POSITIVE_INFINITY));
    if (this.samples.length >= this.#limits.samplesMax) return;
    this.samples.push(this.#shown(kind, home, other, SHOWN_BYTES_MAX));
  }

  #shown(
    kind: DifferenceKind,
    home: Buffer | undefined,
    other: Buffer | undefined,
    bytesMax: number,
  ): DifferenceSample {
    const either = home ?? other;
    const [source, target] = this.#homeIsSource ? [home, other] : [other, home];
    return {
      table: tableKey(this.#plan.table),
      key: either === undefined ? "" : readableKey(this.#plan, this.#row.scan(either), bytesMax),
      kind,
      ...(home === undefined || other === undefined
        ? {}
        : { columns: differingColumns(this.#plan, this.#row.scan(home), this.#other.scan(other)) }),
      ...(source === undefined ? {} : { source: readableRow(this.#plan, this.#row.scan(source), bytesMax) }),
      ...(target === undefined ? {} : { target: readableRow(this.#plan, this.#row.scan(target), bytesMax) }),
    };
  }

  #keepKey(payload: Buffer): void {
    if (this.#counts.keysBytes >= this.#limits.keysBytesMax) {
      this.#counts = { ...this.#counts, keysComplete: false };
      return;
    }
    this.#row.scan(payload);
    const key = this.#plan.keyFields.map((field) => Buffer.from(this.#row.field(field) ?? ""));
    // Rows of one content follow each other, and one key stands for all of them.
    const last = this.#plan.byContent ? this.#lastKey : undefined;
    if (last?.every((field, index) => field.equals(key[index] ?? field))) return;
    const bytes = key.reduce((sum, field) => sum + field.length + KEY_OVERHEAD_BYTES, 0);
    const { keys, keysBytes } = this.#counts;
    this.#counts = { ...this.#counts, keys: keys + 1, keysBytes: keysBytes + bytes };
    this.#lastKey = key;
    this.#keys.push(key);
  }
}
