import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import { LagMeter } from "../../../src/replication/lag-meter.ts";

/** Both clocks stand until told otherwise; the source's runs a year ahead of ours. */
class World {
  ms = 5000;
  readonly sourceOffsetSeconds = 31_536_000;
  readonly beats: number[] = [];
  away = false;
  readonly #stop = new AbortController();
  readonly #sleepers: (() => void)[] = [];

  readonly clock: Clock = {
    monotonicMs: () => this.ms,
    now: () => new Date(1_700_000_000_000 + this.ms),
    sleep: () => new Promise((resolve) => this.#sleepers.push(resolve)),
  };

  readonly meter = new LagMeter({
    name: { migration: "m", direction: "forward" },
    connect: () => (this.away ? Promise.reject(new Error("away")) : Promise.resolve(this.#connection())),
    clock: this.clock,
    everyMs: 100,
    log: silentLogger,
    signal: this.#stop.signal,
  });

  sourceMicros(): number {
    return (this.ms / 1000 + this.sourceOffsetSeconds) * 1e6;
  }

  async beat(): Promise<void> {
    for (const wake of this.#sleepers.splice(0)) wake();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  #connection(): Connection {
    return {
      query: (sql: string) => {
        if (this.away) return Promise.reject(new Error("away"));
        this.beats.push(Number(/, (\d+)\) AS fresh/.exec(sql)?.[1]));
        return Promise.resolve({});
      },
      one: () => Promise.resolve({ now: String(this.ms / 1000 + this.sourceOffsetSeconds) }),
      destroy: () => undefined,
      close: () => Promise.resolve(),
    } as unknown as Connection;
  }
}

describe("the lag of a stream", () => {
  test("is not known before anything has come through", async () => {
    const world = new World();
    expect(world.meter.lagMs()).toBe(Number.POSITIVE_INFINITY);
    void world.meter.run();
    await world.beat();
    expect(world.meter.lagMs()).toBe(Number.POSITIVE_INFINITY);
    world.meter.done(world.sourceMicros() - 90_000_000);
    expect(Math.round(world.meter.lagMs())).toBe(90_000);
  });

  test("is 0 on an idle source, by the source's clock and not by ours, and grows when nothing comes back", async () => {
    const world = new World();
    void world.meter.run();
    await world.beat();
    world.meter.done(world.sourceMicros());
    world.meter.seen(world.beats[0] ?? 0);
    world.ms += 60_000;
    expect(world.meter.lagMs()).toBe(0);
    await world.beat();
    world.ms += 2500;
    expect(world.meter.lagMs()).toBe(2500);
    world.meter.seen(world.beats.at(-1) ?? 0);
    expect(world.meter.lagMs()).toBe(0);
  });

  test("is the age of the oldest transaction at hand", async () => {
    const world = new World();
    void world.meter.run();
    await world.beat();
    world.meter.seen(world.beats[0] ?? 0);
    world.meter.working(world.sourceMicros());
    world.ms += 700;
    expect(Math.round(world.meter.lagMs())).toBe(700);
    world.meter.working(undefined);
    expect(world.meter.lagMs()).toBe(0);
  });

  test("grows while the source cannot be reached: a stale answer counts as late", async () => {
    const world = new World();
    void world.meter.run();
    await world.beat();
    world.meter.seen(world.beats[0] ?? 0);
    world.away = true;
    for (let i = 0; i < 5; i++) {
      await world.beat();
      world.ms += 1000;
    }
    expect(world.meter.lagMs()).toBeGreaterThanOrEqual(4000);
  });

  test("takes a beat of another process for nothing", async () => {
    const world = new World();
    void world.meter.run();
    await world.beat();
    world.meter.seen(7);
    world.ms += 1000;
    expect(world.meter.lagMs()).toBe(Number.POSITIVE_INFINITY);
  });
});
