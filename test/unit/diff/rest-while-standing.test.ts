import { expect, test, vi } from "vitest";
import { fullPace, type PacedWork } from "../../../src/base/pace.ts";
import { restWhileStanding } from "../../../src/diff/rest-while-standing.ts";

const { signal } = new AbortController();

test("whoever reads while the stream stands for another table rests until it goes on", async () => {
  const rest = vi.fn();
  const slowed: PacedWork = { ...fullPace.open(), worker: () => ({ rest }) };
  const { pace, stands, goesOn } = restWhileStanding(slowed);
  const worker = pace.worker(signal);
  await worker.rest();
  expect(rest).toHaveBeenCalledOnce();
  stands();
  stands();
  const rests = Promise.all([worker.rest(), pace.worker(signal).rest()]);
  await new Promise(setImmediate);
  expect(rest, "both wait").toHaveBeenCalledOnce();
  goesOn();
  await rests;
  expect(rest, "and are then slowed as before").toHaveBeenCalledTimes(3);
  await worker.rest();
  goesOn();
  expect(worker.rest(), "nothing is waited for where it does not stand").toBeUndefined();
});
