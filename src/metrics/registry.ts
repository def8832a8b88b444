import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricName, type MetricSpec } from "./catalogue.ts";
import type { Metrics } from "./metrics.ts";

const PREFIX = "switchyard_";
const ENDLESS = "+Inf";

/** The metrics of one process as they travel to the process that is scraped. */
export type MetricsSnapshot = readonly MetricSnapshot[];

interface MetricSnapshot {
  readonly name: string;
  readonly type: string;
  readonly values: readonly unknown[];
}

/** The metrics of one process. */
export interface MetricsRegistry extends Metrics {
  snapshot(): Promise<MetricsSnapshot>;
}

interface Cell {
  readonly labels: Record<string, string>;
  /** Counted since the last snapshot. */
  pending: number;
}

type Series = Counter | Gauge | Histogram;

/** Makes the metrics of a process, named `process` in those that are kept apart by process. */
export function createMetrics(process: string): MetricsRegistry {
  return new ProcessMetrics(process);
}

class ProcessMetrics implements MetricsRegistry {
  readonly #registry = new Registry();
  readonly #series = new Map<MetricName, Series>();
  readonly #cells = new Map<string, { readonly name: MetricName; readonly cell: Cell }>();
  readonly #histograms = new Map<string, { readonly name: MetricName; readonly labels: Record<string, string> }>();
  /** Gauges that this process speaks of: one without labels would otherwise say 0, and be the lowest of all. */
  readonly #spoken = new Set<string>();
  readonly #process: string;
  #cpuSecondsSeen = 0;

  constructor(process: string) {
    this.#process = process;
    for (const [name, spec] of Object.entries(METRICS) as [MetricName, MetricSpec][]) {
      this.#series.set(name, makeSeries(name, spec, this.#registry));
    }
  }

  counter(name: MetricName, labels: Readonly<Record<string, string>>): { add(amount?: number): void } {
    // Counted in a plain number and handed over at the scrape: looking labels up for each statement would cost more.
    const id = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    let held = this.#cells.get(id);
    if (held === undefined) {
      held = { name, cell: { labels: { ...labels }, pending: 0 } };
      this.#cells.set(id, held);
      this.#counter(name).inc(held.cell.labels, 0);
    }
    const { cell } = held;
    return {
      add(amount = 1) {
        cell.pending += amount;
      },
    };
  }

  gauge(name: MetricName, labels: Readonly<Record<string, string>>): { set(v: number): void; add(n: number): void } {
    const gauge = this.#series.get(name) as Gauge;
    const filled = { ...labels };
    this.#spoken.add(PREFIX + name);
    return { set: (value) => gauge.set(filled, value), add: (amount) => gauge.inc(filled, amount) };
  }

  histogram(name: MetricName, labels: Readonly<Record<string, string>>): { observe(value: number): void } {
    const histogram = this.#series.get(name) as Histogram;
    const filled = { ...labels };
    const id = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    // From now on it is there, with nothing in it yet; a handle that is asked for again must not empty it.
    if (!this.#histograms.has(id)) histogram.zero(filled);
    this.#histograms.set(id, { name, labels: filled });
    return { observe: (value) => histogram.observe(filled, value) };
  }

  remove(name: MetricName, labels: Readonly<Record<string, string | undefined>>): void {
    const series = this.#series.get(name) as Gauge;
    const matches = (have: Readonly<Record<string, string | number | undefined>>): boolean =>
      Object.entries(labels).every(([label, value]) => have[label] === value);
    for (const [id, held] of this.#cells) {
      if (held.name === name && matches(held.cell.labels)) this.#cells.delete(id);
    }
    for (const [id, held] of this.#histograms) {
      if (held.name === name && matches(held.labels)) this.#histograms.delete(id);
    }
    void series.get().then(({ values }) => {
      const seen = new Set<string>();
      for (const { labels: have } of values) {
        const own = Object.fromEntries(Object.entries(have).filter(([label]) => label !== "le"));
        const key = JSON.stringify(own);
        if (!matches(own) || seen.has(key)) continue;
        seen.add(key);
        series.remove(own as Record<string, string>);
      }
    });
  }

  async snapshot(): Promise<MetricsSnapshot> {
    this.#observeProcess();
    for (const { name, cell } of this.#cells.values()) {
      if (cell.pending === 0) continue;
      this.#counter(name).inc(cell.labels, cell.pending);
      cell.pending = 0;
    }
    const all = (await this.#registry.getMetricsAsJSON()) as unknown as MetricSnapshot[];
    const told = all.filter(
      ({ name, type, values }) => values.length > 0 && (type !== "gauge" || this.#spoken.has(name)),
    );
    return told.map((metric) => ({ ...metric, values: metric.values.map(packed) }));
  }

  #observeProcess(): void {
    const label = { process: this.#process };
    this.gauge("process_up", label).set(1);
    this.gauge("process_resident_bytes", label).set(process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    const seconds = (user + system) / 1e6;
    this.counter("process_cpu_seconds_total", label).add(seconds - this.#cpuSecondsSeen);
    this.#cpuSecondsSeen = seconds;
  }

  #counter(name: MetricName): Counter {
    return this.#series.get(name) as Counter;
  }
}

function makeSeries(name: MetricName, spec: MetricSpec, registry: Registry): Series {
  const { help } = spec;
  const common = { name: PREFIX + name, help, labelNames: [...spec.labels], registers: [registry] };
  const aggregator = spec.across ?? "sum";
  if (spec.type === "counter") return new Counter(common);
  if (spec.type === "gauge") return new Gauge({ ...common, aggregator });
  return new Histogram({ ...common, buckets: [...(spec.buckets ?? [])] });
}

/** The text of a scrape: the snapshots of all processes made into one. */
export async function renderMetrics(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ readonly contentType: string; readonly text: string }> {
  const merged = merge(snapshots);
  return { contentType: merged.contentType, text: await merged.metrics() };
}

/**
 * What remains of processes that have ended: their counters, added up. Without it a sum over processes would fall
 * when one of them dies, and a falling counter reads as a burst.
 */
export async function retire(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  const counted = snapshots.map((snapshot) => snapshot.filter((metric) => metric.type !== "gauge"));
  return (await merge(counted).getMetricsAsJSON()) as unknown as MetricsSnapshot;
}

/** Between processes a snapshot is JSON, which would make nothing of what has no end. */
function packed(value: unknown): unknown {
  const { value: number, ...rest } = value as { readonly value: unknown };
  return number === Number.POSITIVE_INFINITY ? { ...rest, value: ENDLESS } : value;
}

function unpacked(value: unknown): unknown {
  const { value: number, ...rest } = value as { readonly value: unknown };
  return number === ENDLESS ? { ...rest, value: Number.POSITIVE_INFINITY } : value;
}

function merge(packedSnapshots: readonly MetricsSnapshot[]): Registry {
  const snapshots = packedSnapshots.map((snapshot) =>
    snapshot.map((metric) => ({ ...metric, values: metric.values.map(unpacked) })),
  );
  return AggregatorRegistry.aggregate(snapshots as unknown as Parameters<typeof AggregatorRegistry.aggregate>[0]);
}
