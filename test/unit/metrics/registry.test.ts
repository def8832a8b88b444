import { describe, expect, test } from "vitest";
import { METRICS, type MetricSpec } from "../../../src/metrics/catalogue.ts";
import { createMetrics, type MetricsSnapshot, renderMetrics, retire } from "../../../src/metrics/registry.ts";

/** As it arrives in another process. */
const sent = (snapshot: MetricsSnapshot): MetricsSnapshot => JSON.parse(JSON.stringify(snapshot)) as MetricsSnapshot;

const seriesValue = (text: string, series: string): number | undefined => {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

describe("one scrape of several processes", () => {
  test("adds counters, histograms and sums of gauges, and takes the lowest generation", async () => {
    const primary = createMetrics("primary");
    const workers = [createMetrics("proxy-1"), createMetrics("proxy-2")];
    for (const [index, worker] of workers.entries()) {
      worker.counter("statements_total", { backend: "old", kind: "query" }).add(10 + index);
      worker.gauge("sessions", { state: "idle" }).set(3);
      worker.gauge("rules_generation", {}).set(17 + index);
      worker.histogram("hold_wait_seconds", {}).observe(0.02);
    }
    const snapshots = await Promise.all([primary, ...workers].map(async (one) => sent(await one.snapshot())));
    const { text } = await renderMetrics(snapshots);
    expect(seriesValue(text, 'switchyard_statements_total{backend="old",kind="query"}')).toBe(21);
    expect(seriesValue(text, 'switchyard_sessions{state="idle"}')).toBe(6);
    expect(seriesValue(text, "switchyard_rules_generation")).toBe(17);
    expect(seriesValue(text, "switchyard_hold_wait_seconds_count")).toBe(2);
    for (const process of ["primary", "proxy-1", "proxy-2"]) {
      expect(seriesValue(text, `switchyard_process_up{process="${process}"}`)).toBe(1);
    }
  });

  test("does not fall when a process ends: what it had counted stays, its gauges go", async () => {
    const before = createMetrics("proxy-1");
    before.counter("statements_total", { backend: "old", kind: "query" }).add(100);
    before.gauge("sessions", { state: "idle" }).set(3);
    before.histogram("hold_wait_seconds", {}).observe(0.02);
    const remains = await retire([sent(await before.snapshot())]);
    const after = createMetrics("proxy-1");
    after.counter("statements_total", { backend: "old", kind: "query" }).add(1);
    const { text } = await renderMetrics([remains, await after.snapshot()]);
    expect(seriesValue(text, 'switchyard_statements_total{backend="old",kind="query"}')).toBe(101);
    expect(seriesValue(text, "switchyard_hold_wait_seconds_count")).toBe(1);
    expect(seriesValue(text, 'switchyard_sessions{state="idle"}')).toBeUndefined();
  });
});

describe("a metric", () => {
  test("that is asked for again is the same series, and a handle counts from then on", async () => {
    const metrics = createMetrics("x");
    const handle = metrics.counter("copy_rows_total", { migration: "orders" });
    handle.add(5);
    metrics.counter("copy_rows_total", { migration: "orders" }).add(2);
    await metrics.snapshot();
    handle.add();
    const { text } = await renderMetrics([await metrics.snapshot()]);
    expect(seriesValue(text, 'switchyard_copy_rows_total{migration="orders"}')).toBe(8);
  });

  test("that has no end is still so after its way as JSON: a lag that is not known is not 0", async () => {
    const metrics = createMetrics("x");
    metrics.gauge("stream_lag_seconds", { migration: "a", direction: "forward" }).set(Number.POSITIVE_INFINITY);
    const sent = JSON.parse(JSON.stringify(await metrics.snapshot())) as MetricsSnapshot;
    const { text } = await renderMetrics([sent]);
    expect(text).toMatch(/^switchyard_stream_lag_seconds\{migration="a",direction="forward"\} \+Inf$/m);
  });

  test("that is a histogram keeps what it has when a handle is asked for again", async () => {
    const metrics = createMetrics("x");
    for (const seconds of [0.01, 0.02]) metrics.histogram("switch_pause_seconds", { kind: "switch" }).observe(seconds);
    metrics.histogram("switch_pause_seconds", { kind: "rollback" });
    const { text } = await renderMetrics([await metrics.snapshot()]);
    expect(seriesValue(text, 'switchyard_switch_pause_seconds_count{kind="switch"}')).toBe(2);
    expect(seriesValue(text, 'switchyard_switch_pause_seconds_count{kind="rollback"}')).toBe(0);
  });

  test("is there as zero from the moment a handle exists, and gone once it is removed", async () => {
    const metrics = createMetrics("x");
    metrics.counter("drift_total", { migration: "a", direction: "forward" });
    metrics.counter("drift_total", { migration: "b", direction: "forward" }).add(1);
    metrics.gauge("stream_lag_seconds", { migration: "a", direction: "forward" }).set(3);
    const first = (await renderMetrics([await metrics.snapshot()])).text;
    expect(seriesValue(first, 'switchyard_drift_total{migration="a",direction="forward"}')).toBe(0);
    metrics.remove("drift_total", { migration: "a" });
    metrics.remove("stream_lag_seconds", { migration: "a" });
    await new Promise((resolve) => setImmediate(resolve));
    const then = (await renderMetrics([await metrics.snapshot()])).text;
    expect(then).not.toContain('migration="a"');
    expect(seriesValue(then, 'switchyard_drift_total{migration="b",direction="forward"}')).toBe(1);
  });
});

describe("the catalogue keeps the rules of the exposition format", () => {
  test.each(Object.entries(METRICS) as [string, MetricSpec][])("%s", (name, spec) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total")).toBe(spec.type === "counter");
    expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|hours|kb|mb|count|sum|bucket)$/);
    expect(spec.help).toMatch(/^[A-Z0-9].*\.$/);
    expect(spec.labels.every((label) => /^[a-z]+$/.test(label) && label !== "le")).toBe(true);
    expect(spec.buckets !== undefined).toBe(spec.type === "histogram");
  });
});
