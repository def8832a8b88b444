import { fork } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { IpcStore } from "../../../src/store/ipc-store-client.ts";
import { type ServedChild, serveStore } from "../../../src/store/ipc-store-server.ts";
import { type MessageProcess, processChannel } from "../../../src/store/message-channel.ts";
import { type ChannelEnd, channelPair } from "../../support/memory-channel.ts";
import { eventually, Recorder, storeConformance } from "./conformance.ts";

storeConformance("the store over messages within a process", async () => {
  const { host, client } = await overMessages();
  return {
    store: client,
    async end() {
      await client.close();
      await host.close();
    },
  };
});

// The child hosts the store, so that everything the suite does crosses a real process boundary.
storeConformance("the store over messages of a forked process", async () => {
  const child = fork(new URL("./store-host.child.ts", import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const store = new IpcStore(processChannel(child as MessageProcess, "store"), {
    clock: systemClock,
    log: silentLogger,
  });
  return {
    store,
    end: () =>
      new Promise<void>((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      }),
  };
});

interface Pair {
  readonly host: EmbeddedStore;
  readonly client: IpcStore;
  readonly near: ChannelEnd;
  readonly far: ChannelEnd;
  readonly served: ServedChild;
}

const open: Pair[] = [];

async function overMessages(limits: { requestTimeoutMs?: number; pingMs?: number } = {}): Promise<Pair> {
  const host = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  const [near, far] = channelPair();
  const served = serveStore(host, far, silentLogger);
  const client = new IpcStore(near, { clock: systemClock, log: silentLogger, ...limits });
  return { host, client, near, far, served };
}

describe("a child whose parent is lost", () => {
  afterEach(async () => {
    for (const { host, client } of open.splice(0)) {
      await client.close();
      await host.close();
    }
  });

  async function pair(limits: { requestTimeoutMs?: number; pingMs?: number } = {}): Promise<Pair> {
    const made = await overMessages(limits);
    open.push(made);
    return made;
  }

  test("is told that an unanswered write may have been applied, and that a read was not answered", async () => {
    const { client, far, near } = await pair();
    far.silent = true;
    const write = client.transact([], [{ put: "/a", value: "1" }]);
    const read = client.get("/a");
    near.cut();
    await expect(write).rejects.toMatchObject({ code: "STORE_OUTCOME_UNKNOWN" });
    await expect(read).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("is told that a write after the loss was certainly not applied", async () => {
    const { client, near } = await pair();
    near.cut();
    await expect(client.transact([], [{ put: "/a", value: "1" }])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("learns in bounded time that a silent parent does not answer", async () => {
    const { client, far } = await pair({ requestTimeoutMs: 50 });
    far.silent = true;
    await expect(client.transact([], [{ put: "/a", value: "1" }])).rejects.toMatchObject({
      code: "STORE_OUTCOME_UNKNOWN",
    });
    await expect(client.get("/a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("tells its watchers that they may see the past, and gives them the whole truth when the parent is back", async () => {
    const { client, host, far } = await pair({ requestTimeoutMs: 500, pingMs: 20 });
    const seen = new Recorder();
    await client.watch("/w/", seen);
    far.silent = true;
    await host.transact([], [{ put: "/w/missed", value: "1" }]);
    await eventually(() => seen.reasons.length > 0);
    far.silent = false;
    await eventually(() => seen.resets.length === 2);
    expect(seen.resets[1]?.map((entry) => entry.key)).toEqual(["/w/missed"]);
    await host.transact([], [{ put: "/w/next", value: "1" }]);
    await eventually(() => seen.changes.flat().some((event) => event.key === "/w/next"));
  });

  test("trusts a lease only from the sending of a keep-alive that was answered", async () => {
    const { client, far } = await pair({ requestTimeoutMs: 500 });
    const lease = await client.lease(200);
    await eventually(() => lease.confirmedSentAtMs() > 0);
    far.silent = true;
    await systemClock.sleep(20);
    const confirmed = lease.confirmedSentAtMs();
    await systemClock.sleep(300);
    expect(lease.confirmedSentAtMs()).toBe(confirmed);
    expect(lease.lost.aborted).toBe(false);
  });

  test("hears that its lease is gone once the store can say so", async () => {
    const { client, near } = await pair({ requestTimeoutMs: 500 });
    const lease = await client.lease(200);
    near.silent = true;
    await systemClock.sleep(500);
    expect(lease.lost.aborted).toBe(false);
    near.silent = false;
    await eventually(() => lease.lost.aborted);
  });
});

describe("a store whose child is lost", () => {
  test("lets the child's leases run out by their TTL while only the channel is gone", async () => {
    const { host, client, near } = await overMessages();
    const lease = await client.lease(400);
    await client.transact([], [{ put: "/l", value: "1", lease }]);
    near.cut();
    await systemClock.sleep(100);
    expect(await host.get("/l")).toBeDefined();
    await eventually(async () => (await host.get("/l")) === undefined);
    await host.close();
  });

  test("ends the child's leases at once when the process is known to have ended", async () => {
    const { host, client, near, served } = await overMessages();
    const lease = await client.lease(60_000);
    await client.transact([], [{ put: "/l", value: "1", lease }]);
    near.cut();
    await served.ended();
    expect(await host.get("/l")).toBeUndefined();
    await host.close();
  });

  test("a child that falls behind gets the whole truth instead of an endless backlog", async () => {
    const { host, client, near } = await overMessages();
    const seen = new Recorder();
    await client.watch("/w/", seen);
    near.silent = true;
    for (let n = 0; n < 1500; n++) await host.transact([], [{ put: "/w/n", value: String(n) }]);
    await systemClock.sleep(50);
    expect(seen.changes.length).toBeLessThanOrEqual(1024);
    near.silent = false;
    // Any later confirmation tells the host that the child has caught up.
    near.send({ watch: 1, seen: 1024 });
    await eventually(() => seen.resets.length === 2);
    expect(seen.resets[1]?.map((entry) => entry.value)).toEqual(["1499"]);
    await client.close();
    await host.close();
  });
});
