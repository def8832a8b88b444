import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { PacedWork } from "../../../src/base/pace.ts";
import { PulseLog } from "../../../src/throttle/pulse-log.ts";
import { SIGNAL_NAMES, type SignalName } from "../../../src/throttle/signals.ts";
import { Throttle, type ThrottleSettings } from "../../../src/throttle/throttle.ts";

/** Time that a test moves on; whoever sleeps wakes when it has come so far. */
class TestClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(new Error("aborted"));
      });
    });
  }

  async advance(ms: number): Promise<void> {
    for (const end = this.#nowMs + ms; this.#nowMs < end; ) {
      this.#nowMs += 10;
      for (const sleeper of this.#sleepers) {
        if (sleeper.atMs > this.#nowMs) continue;
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const GOOD: Readonly<Record<SignalName, number>> = {
  "source-history": 10,
  "source-threads": 1,
  "target-threads": 1,
  "target-commit": 1,
  "replica-lag": 0,
  "proxy-p99": 1,
};

/** A throttle whose signals are what the test says; a signal that is `undefined` cannot be read. */
class Bench {
  readonly clock = new TestClock();
  readonly values: Record<SignalName, number | undefined>;
  settings: ThrottleSettings = { ceilings: Object.fromEntries(SIGNAL_NAMES.map((name) => [name, 100])), shareMax: 1 };
  readonly throttle = new Throttle({
    settings: () => this.settings,
    probes: () =>
      SIGNAL_NAMES.map((name) => ({
        signals: [name],
        read: () => {
          const value = this.values[name];
          return value === undefined ? Promise.reject(new Error("no answer")) : Promise.resolve({ [name]: value });
        },
        close: () => Promise.resolve(),
      })),
    clock: this.clock,
    log: silentLogger,
  });
  readonly work: PacedWork;
  readonly ending = new AbortController();

  constructor(values: Readonly<Record<SignalName, number | undefined>> = GOOD) {
    this.values = { ...values };
    this.work = this.throttle.open();
  }

  get share(): number {
    return this.throttle.status()?.share ?? Number.NaN;
  }

  get heldBackBy(): readonly SignalName[] {
    return this.throttle.status()?.heldBackBy ?? [];
  }

  /** Chunks that a worker does in so many seconds, each of which takes 100 ms. */
  async chunksIn(seconds: number, isOver?: () => boolean): Promise<number> {
    let chunks = 0;
    let stop = false;
    const worker = this.work.worker(this.ending.signal);
    const working = (async () => {
      while (!stop) {
        await this.clock.sleep(100);
        chunks += 1;
        await worker.rest(isOver);
      }
    })();
    await this.clock.advance(seconds * 1000);
    stop = true;
    this.ending.abort();
    await Promise.race([working, this.clock.advance(200)]);
    return chunks;
  }
}

let bench: Bench | undefined;
afterEach(() => bench?.work.close());

async function begun(): Promise<Bench> {
  bench = new Bench();
  await bench.clock.advance(1000);
  return bench;
}

describe("a throttle", () => {
  test("lets nothing begin before every signal has been read once", async () => {
    bench = new Bench({ ...GOOD, "source-history": undefined });
    await bench.clock.advance(20_000);
    expect(bench.work.mayOpenSnapshot).toBe(false);
    expect(bench.throttle.status()).toMatchObject({ state: "starting", heldBackBy: ["source-history"] });
    bench.values["source-history"] = 1;
    await bench.clock.advance(1010);
    expect(bench.work.mayOpenSnapshot).toBe(true);
    expect(bench.share).toBe(1);
  });

  test.each(SIGNAL_NAMES)(
    "stops when %s has not been read for longer than its age may be, and names it",
    async (name) => {
      const { values, clock, work } = await begun();
      values[name] = undefined;
      await clock.advance(4000);
      expect(work.mayOpenSnapshot).toBe(true);
      await clock.advance(3000);
      expect(bench?.heldBackBy).toEqual([name]);
      expect(work.mayOpenSnapshot).toBe(false);
      expect(bench?.share).toBe(0);
    },
  );

  test.each(SIGNAL_NAMES.filter((name) => name !== "source-history"))(
    "is slowed by %s to a stop, and comes back slowly",
    async (name) => {
      const { values, clock } = await begun();
      values[name] = 101;
      await clock.advance(3000);
      const slowed = bench?.share ?? 1;
      expect(slowed).toBeLessThan(1);
      await clock.advance(6000);
      expect(bench?.share).toBe(0);
      expect(bench?.heldBackBy).toEqual([name]);
      values[name] = 99;
      await clock.advance(3000);
      expect(bench?.share).toBeLessThan(0.3);
      await clock.advance(20_000);
      expect(bench?.share).toBe(1);
    },
  );

  test("is not slowed by a moment's peak of threads", async () => {
    const { values, clock } = await begun();
    await clock.advance(3000);
    values["source-threads"] = 1000;
    await clock.advance(1000);
    values["source-threads"] = 1;
    await clock.advance(3000);
    expect(bench?.share).toBe(1);
  });

  test("closes the snapshot where the history list is long, and does not make it last by going slower", async () => {
    const { values, clock, work } = await begun();
    values["source-history"] = 101;
    await clock.advance(1010);
    expect(work.shouldCloseSnapshot).toBe(true);
    expect(work.mayOpenSnapshot).toBe(false);
    expect(bench?.share).toBe(1);
    // Just below the limit the next snapshot would be closed at once.
    values["source-history"] = 95;
    await clock.advance(1010);
    expect(work.shouldCloseSnapshot).toBe(false);
    expect(work.mayOpenSnapshot).toBe(false);
    values["source-history"] = 90;
    await clock.advance(1010);
    expect(work.mayOpenSnapshot).toBe(true);
  });

  test("gives a snapshot up that is not read from for long, so that catch-up has its turn", async () => {
    const { values, clock, work } = await begun();
    values["target-threads"] = undefined;
    await clock.advance(7000);
    expect(bench?.share).toBe(0);
    expect(work.shouldCloseSnapshot).toBe(false);
    await clock.advance(10_000);
    expect(work.shouldCloseSnapshot).toBe(true);
  });

  test("takes another limit and another speed at once, in the middle of the work", async () => {
    const { values, clock } = await begun();
    values["proxy-p99"] = 500;
    await clock.advance(10_000);
    expect(bench?.share).toBe(0);
    const { "proxy-p99": _, ...ceilings } = (bench as Bench).settings.ceilings;
    (bench as Bench).settings = { ceilings, shareMax: 0.5 };
    await clock.advance(30_000);
    expect(bench?.heldBackBy).toEqual([]);
    expect(bench?.share).toBe(0.5);
  });
});

describe("a worker of it", () => {
  test("works for the share of the time that it is given", async () => {
    const one = await begun();
    one.settings = { ...one.settings, shareMax: 0.25 };
    const chunks = await one.chunksIn(40);
    expect(chunks).toBeGreaterThan(90);
    expect(chunks).toBeLessThan(115);
  });

  test("stops between pieces, unless what it does cannot be given up half way: that is slowed", async () => {
    const one = await begun();
    one.values["target-commit"] = undefined;
    await one.clock.advance(10_000);
    expect(await one.chunksIn(10, () => false)).toBe(1);
    const whole = await begun();
    whole.values["target-commit"] = undefined;
    await whole.clock.advance(10_000);
    const chunks = await whole.chunksIn(32);
    expect(chunks).toBeGreaterThan(17);
    expect(chunks).toBeLessThan(23);
  });

  test("is let go by a stop when its snapshot is to be closed", async () => {
    const one = await begun();
    one.values["target-commit"] = undefined;
    await one.clock.advance(7000);
    const chunks = await one.chunksIn(20, () => one.work.shouldCloseSnapshot);
    expect(chunks).toBeGreaterThan(1);
  });
});

describe("pulses", () => {
  test("tell how far a replica is behind: the age of the oldest that it has not", () => {
    const log = new PulseLog();
    log.sent(10, 1000);
    log.sent(11, 2000);
    log.sent(12, 3000);
    expect(log.lagMs(12, 3400)).toBe(0);
    expect(log.lagMs(11, 3400)).toBe(400);
    expect(log.lagMs(10, 3400)).toBe(1400);
    expect(log.lagMs(9, 3400)).toBeUndefined();
  });
});
