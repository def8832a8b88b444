import { expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { unlessStandstill } from "../../../src/mysql/unless-standstill.ts";

/** Time passes as fast as it is waited for. */
function hurriedClock(): Clock {
  let now = 0;
  return {
    monotonicMs: () => now,
    now: () => new Date(now),
    sleep: async (ms) => {
      await new Promise(setImmediate);
      now += ms;
    },
  };
}

const FULL = "1 commit has stood still for 9 s: Disk is full";
const what = "make the new home ready";

test("work that a server keeps waiting whose commits stand still is given up by name, once each look has said so for five seconds", async () => {
  const clock = hurriedClock();
  const look = () => Promise.resolve(clock.monotonicMs() > 3000 ? FULL : undefined);
  const given = unlessStandstill(new Promise(() => undefined), { clock, what, look });
  await expect(given).rejects.toMatchObject({
    code: "MYSQL_COMMITS_STAND_STILL",
    message: expect.stringContaining(what),
    facts: { details: [FULL] },
  });
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(8000);
});

test("work is waited for where one look in four says otherwise, where none can be made, and where one does not answer", async () => {
  for (const look of [
    (times: number) => Promise.resolve(times % 4 === 0 ? undefined : FULL),
    () => Promise.reject(new Error("no session")),
    () => new Promise<string>(() => undefined),
  ]) {
    const clock = hurriedClock();
    let times = 0;
    const work = Promise.withResolvers<string>();
    const waited = unlessStandstill(work.promise, {
      clock,
      what,
      look: () => {
        times += 1;
        if (times === 20) work.resolve("done");
        return look(times);
      },
    });
    expect(await waited).toBe("done");
  }
});

test("work that fails has failed with its own error, and nobody looks where it ends at once", async () => {
  const clock = hurriedClock();
  const error = new Error("refused");
  const look = () => Promise.reject(new Error("looked"));
  await expect(unlessStandstill(Promise.reject(error), { clock, what, look })).rejects.toBe(error);
  expect(await unlessStandstill(Promise.resolve(1), { clock, what, look })).toBe(1);
});
