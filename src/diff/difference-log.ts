import { tableKey } from "../base/table-name.ts";
import { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan } from "./comparison-plan.ts";
import type { DifferenceKind, DifferenceSample } from "./diff-report.ts";
import { readableKey, readableRow } from "./readable-row.ts";

/** Counts the differences of one table, and keeps the first of them in readable form. */
export class DifferenceLog {
  readonly #plan: ComparisonPlan;
  readonly #homeIsSource: boolean;
  readonly #samplesMax: number;
  readonly #row: TextRow;
  readonly samples: DifferenceSample[] = [];
  count = 0;

  constructor(plan: ComparisonPlan, direction: "forward" | "reverse", samplesMax: number) {
    this.#plan = plan;
    this.#homeIsSource = direction === "forward";
    this.#samplesMax = samplesMax;
    this.#row = new TextRow(plan.fieldCount);
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
    if (this.samples.length >= this.#samplesMax) return;
    const [source, target] = this.#homeIsSource ? [home, other] : [other, home];
    const either = home ?? other;
    this.samples.push({
      table: tableKey(this.#plan.table),
      key: either === undefined ? "" : readableKey(this.#plan, this.#row.scan(either)),
      kind,
      ...(source === undefined ? {} : { source: readableRow(this.#plan, this.#row.scan(source)) }),
      ...(target === undefined ? {} : { target: readableRow(this.#plan, this.#row.scan(target)) }),
    });
  }
}
