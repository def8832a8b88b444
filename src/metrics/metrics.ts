import type { CounterName, GaugeName, HistogramName, LabelsOf } from "./catalogue.ts";

/** A counter with its labels filled in: adding to it is cheap enough for every statement. */
export interface Counter {
  add(amount?: number): void;
}

export interface Gauge {
  set(value: number): void;
  add(amount: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

/**
 * What the layers know of metrics; they are given one and ask it for handles, once, with the labels filled in.
 * The same name and labels give the same series.
 */
export interface Metrics {
  counter<Name extends CounterName>(name: Name, labels: LabelsOf<Name>): Counter;
  gauge<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>): Gauge;
  histogram<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>): Histogram;
  /** Takes every series of a metric away whose labels include these, for example those of an ended migration. */
  remove<Name extends CounterName | GaugeName | HistogramName>(name: Name, labels: Partial<LabelsOf<Name>>): void;
}

/** Metrics that nobody reads, for tests and tools. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined, add: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  remove: () => undefined,
};
