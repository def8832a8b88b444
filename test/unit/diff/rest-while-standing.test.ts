import { expect, test, vi } from "vitest";
import { deferred } from "../../../src/base/deferred.ts";
import { fullPace, type PacedWork } from "../../../src/base/pace.ts";
import { restWhileStanding } from "../../../src/diff/rest-while-standing.ts";

const { signal } = new AbortController();

test("whoever reads while the stream stands for another table rests until it has gone on for as long again", async () => {
  const rest = vi.fn();
  const slowed: PacedWork = { ...fullPace.open(), worker: () => ({ rest }) };
  let caughtUp = deferred<void>();
  const sleep = vi.fn(() => caughtUp.promise);
  const { pace, stands, goesOn } = restWhileStanding(slowed, { sleep });
  const worker = pace.worker(signal);
  await worker.rest();
  expect(rest).toHaveBeenCalledOnce();
  stands();
  stands();
  const rests = Promise.all([worker.rest(), pace.worker(signal).rest()]);
  goesOn(30);
  expect(sleep).toHaveBeenLastCalledWith(30);
  // It stands anew before it has caught up: the end of the first time is none.
  stands();
  caughtUp.resolve();
  await new Promise(setImmediate);
  expect(rest, "both wait").toHaveBeenCalledOnce();
  caughtUp = deferred();
  goesOn(4000);
  expect(sleep).toHaveBeenLastCalledWith(250);
  await new Promise(setImmediate);
  expect(rest, "still").toHaveBeenCalledOnce();
  caughtUp.resolve();
  await rests;
  expect(rest, "and are then slowed as before").toHaveBeenCalledTimes(3);
  await worker.rest();
  goesOn(1);
  expect(worker.rest(), "nothing is waited for where it does not stand").toBeUndefined();
});
