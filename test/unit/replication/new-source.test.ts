import { describe, expect, test } from "vitest";
import type { GtidEvent } from "../../../src/binlog/binlog-event.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { AheadSearch, lastOf } from "../../../src/replication/new-source.ts";

const A = "aaaaaaaa-71ca-11e1-9e33-c80aa9429562";
const B = "bbbbbbbb-71ca-11e1-9e33-c80aa9429562";

function event(uuid: string, gno: number, times: readonly [number, number] = [7, 5]): GtidEvent {
  const [commitMicros, originalCommitMicros] = times;
  return { kind: "gtid", gtid: { uuid, tag: "", gno }, commitMicros, originalCommitMicros } as GtidEvent;
}

/** Reads a log of [server, number] until the search is over. */
async function search(log: readonly (readonly [string, number])[], newest?: string): Promise<AheadSearch> {
  const known = newest === undefined ? undefined : { gtid: newest, commitUs: 5n };
  const one = new AheadSearch(GtidSet.parse(`${A}:9`), known, A);
  for (const [uuid, gno] of log) one.event(event(uuid, gno));
  await one.over;
  return one;
}

describe("the log of a server that takes the place of another", () => {
  test("has an errant transaction where its own stands ahead of the last that was applied", async () => {
    const { errant } = await search([
      [B, 1],
      [A, 9],
      [B, 2],
      [A, 10],
    ]);
    expect(errant.toString()).toBe(`${B}:1`);
  });

  test("has none where clients have written since it took over, nor where the former's came in another order", async () => {
    expect(
      (
        await search([
          [A, 10],
          [A, 9],
          [B, 1],
        ])
      ).errant.isEmpty,
    ).toBe(true);
  });

  test("knows the newest by when it was committed first, which is the same on every server", async () => {
    expect((await search([[A, 9]], `${A}:9`)).another).toBeUndefined();
    const search2 = new AheadSearch(GtidSet.parse(`${A}:9`), { gtid: `${A}:9`, commitUs: 6n }, A);
    search2.event(event(A, 9));
    expect(search2.another).toBe(`${A}:9`);
  });
});

test("the last transactions are the former server's own, by tag; all servers' where it has written none", () => {
  const history = GtidSet.parse(`${A}:1-9:nightly:1-3,${B}:1-4:6`);
  expect(lastOf(history, A).toString()).toBe(`${A}:9:nightly:3`);
  expect(lastOf(history, "cccccccc-71ca-11e1-9e33-c80aa9429562").toString()).toBe(`${A}:9:nightly:3,${B}:6`);
});
