import { expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import { SourceReplica } from "../../../src/mysql/source-replica.ts";

const UUID = "11111111-1111-1111-1111-111111111111";
const SEMISYNC_TIMEOUT_MS = 10_000;

/** A source that counts its second transaction as executed only after so long; the replica has it before. */
async function provenWhenCountedAfter(lateMs: number): Promise<void> {
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
    },
  } as Partial<Clock> as Clock;
  const source = {
    endpoint: { name: "source" },
    one: async () => ({ uuid: UUID, executed: `${UUID}:1-${nowMs < lateMs ? 1 : 2}` }),
  } as unknown as Connection;
  const replica = { endpoint: { name: "replica" } } as unknown as Connection;
  const { signal } = new AbortController();
  await new SourceReplica({ replica, source, clock, signal }).prove(GtidSet.parse(`${UUID}:1-2`));
}

test("a replica is not refused for what its source counts only once it gives up waiting for semisync", async () => {
  await provenWhenCountedAfter(SEMISYNC_TIMEOUT_MS + 500);
  await expect(provenWhenCountedAfter(Number.POSITIVE_INFINITY)).rejects.toThrow("MYSQL_REPLICA_UNFIT");
});
