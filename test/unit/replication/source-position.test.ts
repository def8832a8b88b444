import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import { checkSource, type DumpStart } from "../../../src/replication/source-position.ts";

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const set = (range: string): GtidSet => GtidSet.parse(range === "" ? "" : `${uuid}:${range}`);

/** Asks a source whose answers change with time. */
async function ask(
  executed: readonly string[],
  purged: string,
  expected: { readonly executed: string; readonly newest?: number },
): Promise<DumpStart> {
  let ms = 0;
  let asked = 0;
  const clock = {
    monotonicMs: () => ms,
    now: () => new Date(),
    sleep: (wait: number) => {
      ms += wait;
      return Promise.resolve();
    },
  } satisfies Clock;
  const connection = {
    one: () => {
      const now = executed[Math.min(asked++, executed.length - 1)] ?? "";
      return Promise.resolve({ uuid, executed: set(now).toString(), purged: set(purged).toString() });
    },
  } as unknown as Connection;
  return await checkSource(connection, {
    uuid,
    executed: set(expected.executed),
    newest: expected.newest === undefined ? undefined : { gtid: `${uuid}:${expected.newest}`, commitUs: 5n },
    clock,
    signal: new AbortController().signal,
    visibilityWaitMs: 1000,
  });
}

describe("a source before a dump", () => {
  test("is asked for all but what is done, and for the newest of that again", async () => {
    const start = await ask(["1-10"], "1-3", { executed: "1-8", newest: 8 });
    expect(start.executed.toString()).toBe(set("1-7").toString());
    expect(start.compare).toEqual({ gtid: `${uuid}:8`, commitUs: 5n });
  });

  test("is not asked again for what it has purged", async () => {
    const start = await ask(["1-10"], "1-8", { executed: "1-8", newest: 8 });
    expect(start.executed.toString()).toBe(set("1-8").toString());
    expect(start.compare).toBeUndefined();
  });

  test("may show a transaction in its log before it counts it as executed: that is waited for", async () => {
    const start = await ask(["1-7", "1-7", "1-8"], "", { executed: "1-8", newest: 8 });
    expect(start.executed.toString()).toBe(set("1-7").toString());
  });

  test("that does not count it after all has gone back", async () => {
    await expect(ask(["1-7"], "", { executed: "1-8" })).rejects.toThrow("STREAM_SOURCE_WENT_BACK");
  });

  test("that purged what is not done is of no use, gaps included", async () => {
    await expect(ask(["1-10"], "1-6", { executed: "1-4:6-8" })).rejects.toThrow("STREAM_POSITION_PURGED");
  });
});
