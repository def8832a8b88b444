import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import type { EtcdCluster, EtcdServer } from "../../../servers/etcd-server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { EtcdAccess } from "../../../src/store/etcd-link.ts";
import { EtcdStore, type EtcdStoreOptions } from "../../../src/store/etcd-store.ts";
import { makeCertificates, startEtcd, startEtcdCluster, stopEtcd } from "../../support/etcd.ts";
import { EtcdGateway } from "../../support/etcd-gateway.ts";
import { StoreMirror } from "../../support/store-mirror.ts";

const PREFIX = "/faults";
/** etcd elects within 1 to 2 s; what remains is for finding the new leader, on a machine with other work. */
const LEADER_CHANGE_MS_MAX = 10_000;
/** For requests that are to be in vain. */
const BRIEF = { requestTimeoutMs: 2000 };
const SILENCE_NOTICED_MS_MAX = 10_000;
/** Of tests in a group that is beside others. */
const AFTER_ANOTHER = { concurrent: false };

const servers: EtcdServer[] = [];
const stores: EtcdStore[] = [];

// Each group of tests has servers of its own and mostly waits: they wait side by side.
afterAll(async () => {
  for (const store of stores) await store.close();
  await stopEtcd(servers);
});

async function etcd(options: Parameters<typeof startEtcd>[0] = {}): Promise<EtcdServer> {
  const server = await startEtcd(options);
  servers.push(server);
  return server;
}

function open(access: EtcdAccess, more: Partial<EtcdStoreOptions> = {}): EtcdStore {
  const store = new EtcdStore({ access, root: "", prefix: PREFIX, clock: systemClock, log: silentLogger, ...more });
  stores.push(store);
  return store;
}

async function within(timeoutMs: number, look: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await look()) return;
    await systemClock.sleep(20);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`);
}

/** The keys that etcd has below the prefix, without it, as a store shows them. */
async function truth(gateway: EtcdGateway): Promise<Map<string, string>> {
  const all = await gateway.all(`${PREFIX}/`);
  return new Map([...all].map(([key, value]) => [key.slice(PREFIX.length), value]));
}

async function mirrors(mirror: StoreMirror, gateway: EtcdGateway): Promise<void> {
  const expected = await truth(gateway);
  await within(SILENCE_NOTICED_MS_MAX, () => mirror.known.size === expected.size, "a mirror with all keys").catch(
    () => undefined,
  );
  await within(2000, () => same(mirror.known, expected), "a mirror with all values").catch(() => undefined);
  expect(mirror.known).toEqual(expected);
  expect(mirror.disordered).toEqual([]);
}

function same(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

describe("an etcd that forgets", () => {
  /**
   * 1. The store lists the keys, as of some revision.
   * 2. Others write, and etcd compacts: the revision after the list exists no more.
   * 3. The store's watch arrives, which is to begin at that revision. etcd ends it at once.
   */
  test("a watch whose beginning was compacted begins again and misses nothing", async () => {
    const server = await etcd();
    const gateway = new EtcdGateway(server.endpoint);
    const store = open({ endpoints: [server.endpoint] });
    await store.transact([], [{ put: "/a", value: "0" }]);
    const mirror = new StoreMirror();
    await store.watch("/", {
      reset: (entries, revision) => {
        mirror.reset(entries, revision);
        if (mirror.resets === 1) gateway.writeAndCompactAtOnce(`${PREFIX}/a`);
      },
      change: (events) => mirror.change(events),
      stale: (why) => mirror.stale(why),
    });
    await within(5000, () => mirror.resets === 2, "a second beginning");
    expect(mirror.reasons).toEqual([expect.stringMatching(/compacted/)]);
    expect(mirror.known).toEqual(new Map([["/a", "20"]]));
    await gateway.put(`${PREFIX}/b`, "after");
    await mirrors(mirror, gateway);
    expect(mirror.resets).toBe(2);
  });

  test("a lease that etcd has ended is told as lost, and its keys are gone", async () => {
    const server = await etcd();
    const gateway = new EtcdGateway(server.endpoint);
    const store = open({ endpoints: [server.endpoint] });
    const lease = await store.lease(5000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    await gateway.ask("lease/revoke", { ID: lease.id });
    await within(5000, () => lease.lost.aborted, "the loss of the lease");
    await expect(store.transact([], [{ put: "/more", value: "1", lease }])).rejects.toMatchObject({
      code: "STORE_LEASE_LOST",
    });
    await mirrors(mirror, gateway);
    expect(mirror.known.size).toBe(0);
  });
});

describe.concurrent("an etcd that falls silent", () => {
  test("is told as stale, is not waited for, and comes back with the whole truth", async () => {
    const server = await etcd();
    const gateway = new EtcdGateway(server.endpoint);
    const store = open({ endpoints: [server.endpoint] });
    await store.transact([], [{ put: "/a", value: "1" }]);
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    const lease = await store.lease(2000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    server.pause();
    await within(SILENCE_NOTICED_MS_MAX, () => mirror.reasons.length > 0, "the silence is told");
    const askedAt = Date.now();
    await expect(store.get("/a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(store.transact([], [{ put: "/lost", value: "1" }])).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    expect(Date.now() - askedAt).toBeLessThan(2 * LEADER_CHANGE_MS_MAX);
    expect(systemClock.monotonicMs() - lease.confirmedSentAtMs()).toBeGreaterThan(lease.ttlMs);
    server.resume();
    await within(SILENCE_NOTICED_MS_MAX, () => mirror.resets > 1, "a second beginning");
    await gateway.put(`${PREFIX}/b`, "after");
    await mirrors(mirror, gateway);
    // What certainly was not written has not been written later either.
    expect(mirror.known.has("/lost")).toBe(false);
  });
});

describe.concurrent("a cluster of three whose leader is killed", () => {
  /** Counts one key up by compare-and-set, as fast as it is let, and remembers each number that was acknowledged. */
  async function count(store: EtcdStore, until: { stop: boolean; done: number[]; longestMs: number }): Promise<void> {
    let last = Date.now();
    while (!until.stop) {
      const now = await store.get("/counter").catch(() => undefined);
      const next = Number(now?.value ?? 0) + 1;
      const key = "/counter";
      const outcome = await store
        .transact(
          [{ key, revision: now?.revision ?? 0 }],
          [
            { put: key, value: String(next) },
            { put: `/n/${next}`, value: "1" },
          ],
        )
        .catch((error: { code?: string }) => {
          if (error.code === "STORE_OUTCOME_UNKNOWN" || error.code === "STORE_UNAVAILABLE") return undefined;
          throw error;
        });
      if (outcome?.succeeded !== true) continue;
      until.longestMs = Math.max(until.longestMs, Date.now() - last);
      last = Date.now();
      until.done.push(next);
    }
  }

  test("transactions go on within a bound, each acknowledged one is kept, a watch misses nothing, a lease lives on", async () => {
    const cluster: EtcdCluster = await startEtcdCluster();
    servers.push(...cluster.members);
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader);
    // The leader first, so that it is the one in use when it dies.
    const store = open({ endpoints: [leader.endpoint, ...others.map((member) => member.endpoint)] });
    const gateway = new EtcdGateway(others[0]?.endpoint ?? "");
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    const lease = await store.lease(5000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    const counted = { stop: false, done: [] as number[], longestMs: 0 };
    const counting = count(store, counted);
    await within(5000, () => counted.done.length > 20, "some transactions");
    await leader.kill9();
    const killedAfter = counted.done.length;
    await within(LEADER_CHANGE_MS_MAX, () => counted.done.length > killedAfter + 20, "transactions after the kill");
    // Longer than the lease, which a member that begins to lead starts once more: kept alive by nobody, it would be gone.
    await systemClock.sleep(1.6 * lease.ttlMs);
    counted.stop = true;
    await counting;
    expect(counted.longestMs).toBeLessThan(LEADER_CHANGE_MS_MAX);
    expect(new Set(counted.done).size, "numbers acknowledged twice").toBe(counted.done.length);
    const kept = await truth(gateway);
    expect(counted.done.filter((n) => !kept.has(`/n/${n}`))).toEqual([]);
    expect(lease.lost.aborted).toBe(false);
    expect(kept.get("/leased")).toBe("1");
    await mirrors(mirror, gateway);
    expect(await cluster.leader()).not.toBe(leader);
  }, 90_000);
});

describe.concurrent("an etcd with TLS", () => {
  const pem = (path: string): string => readFileSync(path, "utf8");

  async function roundTrip(store: EtcdStore): Promise<void> {
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    const lease = await store.lease(2000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    await within(5000, () => mirror.known.get("/leased") === "1", "the change");
    await lease.revoke();
    await within(5000, () => mirror.known.size === 0, "the end of the lease");
  }

  test(
    "is used with the authority that has signed its certificate, and refused with a stranger's",
    AFTER_ANOTHER,
    async () => {
      const certificates = makeCertificates();
      const server = await etcd({ tls: certificates.server });
      const ca = pem(certificates.client.ca);
      await roundTrip(open({ endpoints: [server.endpoint], tls: { ca } }));
      const deceived = open({ endpoints: [server.endpoint], tls: { ca: pem(certificates.stranger) } }, BRIEF);
      await expect(deceived.get("/a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      // The authorities that Node knows have not signed it either.
      await expect(open({ endpoints: [server.endpoint] }, BRIEF).get("/a")).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
      });
    },
  );

  test("that asks for clients' certificates takes ours, and nobody without one", AFTER_ANOTHER, async () => {
    const certificates = makeCertificates();
    const server = await etcd({ tls: { ...certificates.server, clientCertificates: true } });
    const { ca, cert, key } = certificates.client;
    await roundTrip(open({ endpoints: [server.endpoint], tls: { ca: pem(ca), cert: pem(cert), key: pem(key) } }));
    const nobody = open({ endpoints: [server.endpoint], tls: { ca: pem(ca) } }, BRIEF);
    await expect(nobody.get("/a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});

describe.concurrent("an etcd that asks for a password", () => {
  const TOKEN_SECONDS = 2;
  const PASSWORD = "etcd-secret";

  async function guarded(): Promise<{ server: EtcdServer; gateway: EtcdGateway }> {
    const server = await etcd({ args: [`--auth-token-ttl=${TOKEN_SECONDS}`] });
    const gateway = new EtcdGateway(server.endpoint);
    await gateway.enableAuth(`${PREFIX}/`, PASSWORD);
    return { server, gateway };
  }

  async function asRoot(gateway: EtcdGateway): Promise<Map<string, string>> {
    await gateway.logIn("root", PASSWORD);
    return await truth(gateway);
  }

  test("lets our account into its prefix only, and says whom it refuses", AFTER_ANOTHER, async () => {
    const { server, gateway } = await guarded();
    const endpoints = [server.endpoint];
    const store = open({ endpoints, user: "switchyard", password: PASSWORD });
    expect(await store.transact([], [{ put: "/a", value: "1" }])).toMatchObject({ succeeded: true });
    const elsewhere = open({ endpoints, user: "switchyard", password: PASSWORD }, { prefix: "/other" });
    await expect(elsewhere.get("/a")).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/refuses this account/),
    });
    await expect(open({ endpoints, user: "switchyard", password: "wrong" }).get("/a")).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/refuses this account/),
    });
    await expect(open({ endpoints }).get("/a")).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/refuses this account/),
    });
    expect([...(await asRoot(gateway)).keys()]).toEqual(["/a"]);
  });

  test("goes on after its token has expired: requests, watch and lease", {
    ...AFTER_ANOTHER,
    timeout: 60_000,
  }, async () => {
    const { server, gateway } = await guarded();
    const store = open({ endpoints: [server.endpoint], user: "switchyard", password: PASSWORD });
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    const lease = await store.lease(6000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    for (let round = 1; round <= 2; round += 1) {
      await systemClock.sleep((TOKEN_SECONDS + 1.5) * 1000);
      expect(await store.transact([], [{ put: "/round", value: String(round) }])).toMatchObject({ succeeded: true });
      await within(5000, () => mirror.known.get("/round") === String(round), "the change");
    }
    expect(lease.lost.aborted).toBe(false);
    await gateway.logIn("root", PASSWORD);
    await mirrors(mirror, gateway);
    expect(mirror.known.get("/leased")).toBe("1");
  });

  test("goes on after a restart, which has forgotten all tokens", AFTER_ANOTHER, async () => {
    const { server, gateway } = await guarded();
    const store = open({ endpoints: [server.endpoint], user: "switchyard", password: PASSWORD });
    const mirror = new StoreMirror();
    await store.watch("/", mirror);
    const lease = await store.lease(20_000);
    await store.transact([], [{ put: "/leased", value: "1", lease }]);
    await server.kill9();
    await server.start();
    await within(LEADER_CHANGE_MS_MAX, () => mirror.resets > 1, "a second beginning");
    expect(await store.transact([], [{ put: "/after", value: "1" }])).toMatchObject({ succeeded: true });
    const renewed = lease.confirmedSentAtMs();
    await within(LEADER_CHANGE_MS_MAX, () => lease.confirmedSentAtMs() > renewed, "a keep-alive");
    await gateway.logIn("root", PASSWORD);
    await mirrors(mirror, gateway);
    expect([...mirror.known.keys()].sort()).toEqual(["/after", "/leased"]);
  });
});
