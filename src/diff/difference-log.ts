import { tableKey } from "../base/table-name.ts";
import { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan } from "./comparison-plan.ts";
import type { TableKeys } from "./diff-options.ts";
import type { DifferenceKind, DifferenceSample } from "./diff-report.ts";
import { differingColumns, readableKey, readableRow } from "./readable-row.ts";

export interface DifferenceLimits {
  readonly samplesMax: number;
  readonly keysBytesMax: number;
}

/** What a key takes in memory beside its bytes. */
const KEY_OVERHEAD_BYTES = 160;

/** Counts the differences of one table, keeps their keys, and the first of them in readable form. */
export class DifferenceLog {
  readonly #plan: ComparisonPlan;
  readonly #homeIsSource: boolean;
  readonly #samplesMax: number;
  readonly #row: TextRow;
  readonly #other: TextRow;
  readonly #keysBytesMax: number;
  readonly #keys: Buffer[][] = [];
  #keysBytes = 0;
  #complete = true;
  readonly samples: DifferenceSample[] = [];
  count = 0;

  constructor(plan: ComparisonPlan, direction: "forward" | "reverse", limits: DifferenceLimits) {
    this.#plan = plan;
    this.#homeIsSource = direction === "forward";
    this.#samplesMax = limits.samplesMax;
    this.#keysBytesMax = limits.keysBytesMax;
    this.#row = new TextRow(plan.fieldCount);
    this.#other = new TextRow(plan.fieldCount);
  }

  /** The keys that were kept: from the first on as many as fit. */
  get differences(): TableKeys {
    return { table: this.#plan.table, keys: this.#keys, complete: this.#complete };
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
    this.count += 1;
    const either = home ?? other;
    if (either !== undefined) this.#keepKey(either);
    if (this.samples.length >= this.#samplesMax) return;
    const [source, target] = this.#homeIsSource ? [home, other] : [other, home];
    this.samples.push({
      table: tableKey(this.#plan.table),
      key: either === undefined ? "" : readableKey(this.#plan, this.#row.scan(either)),
      kind,
      ...(home === undefined || other === undefined
        ? {}
        : { columns: differingColumns(this.#plan, this.#row.scan(home), this.#other.scan(other)) }),
      ...(source === undefined ? {} : { source: readableRow(this.#plan, this.#row.scan(source)) }),
      ...(target === undefined ? {} : { target: readableRow(this.#plan, this.#row.scan(target)) }),
    });
  }

  #keepKey(payload: Buffer): void {
    if (this.#keysBytes >= this.#keysBytesMax) {
      this.#complete = false;
      return;
    }
    this.#row.scan(payload);
    const key = this.#plan.keyFields.map((field) => Buffer.from(this.#row.field(field) ?? ""));
    // Rows of one content follow each other, and one key stands for all of them.
    const last = this.#plan.byContent ? this.#keys.at(-1) : undefined;
    if (last?.every((field, index) => field.equals(key[index] ?? field))) return;
    this.#keysBytes += key.reduce((bytes, field) => bytes + field.length + KEY_OVERHEAD_BYTES, 0);
    this.#keys.push(key);
  }
}
