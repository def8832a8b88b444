import { expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { type Deferred, deferred } from "../../../src/base/deferred.ts";
import type { BackendConnection } from "../../../src/proxy/backend-connection.ts";
import { ServersReached } from "../../../src/proxy/reached-servers.ts";

const FORMER = "11111111-0000-0000-0000-000000000000";
const PRESENT = "22222222-0000-0000-0000-000000000000";

const timers: Deferred<void>[] = [];
const clock = {
  sleep: () => {
    const timer = deferred<void>();
    timers.push(timer);
    return timer.promise;
  },
} as unknown as Clock;

function connection(name = "old"): { of: BackendConnection; end: () => Promise<void> } {
  const closed = deferred<string>();
  const end = async (): Promise<void> => {
    closed.resolve("ended");
    await new Promise(setImmediate);
  };
  return { of: { name, isLost: false, closed: closed.promise } as unknown as BackendConnection, end };
}

/** The time for which a server stays listed passes. */
async function linger(): Promise<void> {
  for (const timer of timers.splice(0)) timer.resolve();
  await new Promise(setImmediate);
}

/**
 * 1. The old home fails over, and its address leads to the replica.
 * 2. New clients reach the replica; one of before is still at the former server.
 */
test("a connection that stays at a server that was failed over is told until it has ended", async () => {
  let told = 0;
  const servers = new ServersReached(clock, new AbortController().signal, () => {
    told += 1;
  });
  const [stale, late, later] = [connection(), connection(), connection()];
  servers.tells(stale.of, FORMER);
  servers.tells(late.of, PRESENT);
  servers.tells(later.of, PRESENT);
  expect(servers.list()).toEqual({ old: { newest: PRESENT, open: [FORMER, PRESENT] } });
  expect(told, "another connection to a server that is listed is no news").toBe(2);
  await stale.end();
  await linger();
  expect(servers.list()).toEqual({ old: { newest: PRESENT, open: [PRESENT] } });
  await late.end();
  await linger();
  expect(servers.list(), "one is still there").toEqual({ old: { newest: PRESENT, open: [PRESENT] } });
  await later.end();
  await linger();
  expect(servers.list(), "where the newest has led is kept").toEqual({ old: { newest: PRESENT, open: [] } });
  expect(told).toBe(4);
});

test("clients that come and go one by one are written to the store once, and what is no uuid never", async () => {
  let told = 0;
  const servers = new ServersReached(clock, new AbortController().signal, () => {
    told += 1;
  });
  for (let i = 0; i < 10; i += 1) {
    const client = connection();
    servers.tells(client.of, PRESENT);
    servers.tells(client.of, PRESENT);
    await client.end();
  }
  expect(told).toBe(1);
  for (const word of [undefined, null, "", "x".repeat(36), `${PRESENT}\n`]) servers.tells(connection("new").of, word);
  expect(servers.list()).toEqual({ old: { newest: PRESENT, open: [PRESENT] } });
});
