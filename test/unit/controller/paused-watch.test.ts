import { expect, test, vi } from "vitest";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { deferred } from "../../../src/base/deferred.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { ControllerContext } from "../../../src/controller/controller-context.ts";
import { PausedWatch } from "../../../src/controller/paused-watch.ts";
import { Connection } from "../../../src/mysql/connection.ts";

test("a home that has frozen while it was asked does not hold up the end of the watch", async () => {
  const asked = deferred<void>();
  const cut = deferred<never>();
  const frozen = {
    rows: () => {
      asked.resolve(undefined);
      return cut.promise;
    },
    destroy: () => cut.reject(new Error("cut by us")),
    close: async () => undefined,
  };
  const connect = vi.spyOn(Connection, "connect").mockResolvedValue(frozen as unknown as Connection);
  try {
    const context = { clock: systemClock, log: silentLogger, backends: { home: {} } };
    const watch = new PausedWatch(context as unknown as ControllerContext);
    watch.look({ by: "me", reason: "why", at: new Date().toISOString() }, "home");
    await asked.promise;
    await watch.close();
    // A server that never answers the login is given up as well.
    expect(connect.mock.calls[0]?.[1]?.signal?.aborted).toBe(true);
  } finally {
    connect.mockRestore();
  }
}, 2000);

/** The lines of a log that are warnings, and a watch over a server that says `said`, or does not answer. */
function watched(said: readonly Readonly<Record<string, string>>[] | Error): {
  readonly warnings: string[];
  readonly watch: PausedWatch;
  readonly pass: (ms: number) => void;
} {
  const warnings: string[] = [];
  let nowMs = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs } as unknown as Clock;
  const log = { ...silentLogger, warn: (facts: object) => warnings.push(Object.keys(facts)[0] ?? "") };
  const rows = (): Promise<unknown> => (said instanceof Error ? Promise.reject(said) : Promise.resolve(said));
  const server = { rows, destroy: () => undefined, close: async () => undefined } as unknown as Connection;
  vi.spyOn(Connection, "connect").mockResolvedValue(server);
  const watch = new PausedWatch({ clock, log, backends: { home: {} } } as unknown as ControllerContext);
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { warnings, watch, pass };
}

const HOUR = 3_600_000;
const KEEPS = { Variable_name: "binlog_expire_logs_seconds", Value: String(30 * 3600) };
const turn = (): Promise<void> => new Promise(setImmediate);

test.each<[string, Parameters<typeof watched>[0], { readonly lagMs?: number }, readonly string[]]>([
  ["keeps its log for longer than a day", [KEEPS], { lagMs: 0 }, []],
  ["is asked, of a stream whose lag was not known", [KEEPS], {}, ["unsure"]],
  ["does not answer", new Error("gone"), { lagMs: 0 }, ["unsure"]],
  ["bounds its log by size", [{ Variable_name: "binlog_space_limit", Value: "1000" }], { lagMs: 0 }, ["unsure"]],
  ["keeps its log for ever", [{ Variable_name: "binlog_expire_logs_seconds", Value: "0" }], {}, []],
])("the log warns once, and only where it must, when a paused stream's server %s", async (_, said, late, expected) => {
  const { warnings, watch, pass } = watched(said);
  try {
    const paused = { by: "me", reason: "why", at: new Date(0).toISOString(), ...late };
    for (let i = 0; i < 4; i += 1) {
      watch.look(paused, "home");
      for (let turns = 0; turns < 5; turns += 1) await turn();
      pass(HOUR);
    }
    expect(warnings).toEqual(expected);
  } finally {
    await watch.close();
    vi.restoreAllMocks();
  }
});

test("a pause that lasts until less than a day is certain is warned of once, and again after it was longer", async () => {
  const said = [KEEPS];
  const { warnings, watch, pass } = watched(said);
  try {
    const paused = { by: "me", reason: "why", at: new Date(0).toISOString(), lagMs: 0 };
    const look = async (): Promise<void> => {
      watch.look(paused, "home");
      for (let turns = 0; turns < 5; turns += 1) await turn();
      watch.look(paused, "home");
    };
    await look();
    pass(7 * HOUR);
    await look();
    expect(warnings).toEqual(["runwayMs"]);
    said[0] = { ...KEEPS, Value: String(40 * 3600) };
    pass(HOUR);
    await look();
    pass(10 * HOUR);
    await look();
    expect(warnings).toEqual(["runwayMs", "runwayMs"]);
  } finally {
    await watch.close();
    vi.restoreAllMocks();
  }
});
