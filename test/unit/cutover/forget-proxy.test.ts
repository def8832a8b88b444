import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { type ForgetOptions, forgetProxy, type ServerWithConnections } from "../../../src/cutover/forget-proxy.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import { ALIVE_PREFIX, LEADER_KEY, PROXIES_PREFIX } from "../../../src/rules/store-keys.ts";
import type { Store } from "../../../src/store/store.ts";
import { storeWith } from "./memory-store.ts";

const PROXY: ProxyDocument = {
  format: 3,
  id: "p1",
  bootNonce: "boot-1",
  version: "1",
  generation: 1,
  armed: {},
  holds: {},
  seenTogether: [],
  accounts: [],
  servers: {},
};

/** A server on which connection 7 belongs to `boot-1`; it takes `kills` KILLs before it leaves. */
function server(kills: number): ServerWithConnections & { readonly killed: string[] } {
  const killed: string[] = [];
  return {
    label: "db1:3306",
    killed,
    connectionsOf: (nonces) => Promise.resolve(nonces.includes("boot-1") && killed.length < kills ? ["7"] : []),
    kill(ids) {
      killed.push(...ids);
      return Promise.resolve();
    },
  };
}

async function registered(): Promise<Store> {
  const store = await storeWith();
  await store.transact([], [{ put: `${PROXIES_PREFIX}p1`, value: JSON.stringify(PROXY) }]);
  return store;
}

function optionsFor(store: Store, servers: readonly ServerWithConnections[]): ForgetOptions {
  return { store, clock: systemClock, servers, leadership: [], killTimeoutMs: 100 };
}

async function isRegistered(store: Store): Promise<boolean> {
  return (await store.get(`${PROXIES_PREFIX}p1`)) !== undefined;
}

describe("forgetting a proxy", () => {
  test("ends its connections on every server before its registration goes", async () => {
    const store = await registered();
    const servers = [server(1), server(2)];
    expect(await forgetProxy("p1", optionsFor(store, servers))).toBe(true);
    expect(servers.map(({ killed }) => killed)).toEqual([["7"], ["7", "7"]]);
    expect(await isRegistered(store)).toBe(false);
  });

  test("is refused while it shows a sign of life: it serves clients", async () => {
    const store = await registered();
    await store.transact([], [{ put: `${ALIVE_PREFIX}p1`, value: "{}" }]);
    const alive = server(1);
    await expect(forgetProxy("p1", optionsFor(store, [alive]))).rejects.toMatchObject({ code: "CUTOVER_PROXY_ALIVE" });
    expect(alive.killed).toEqual([]);
    expect(await isRegistered(store)).toBe(true);
  });

  test("is refused when it comes back to life while its connections are ended", async () => {
    const store = await registered();
    const waking: ServerWithConnections = {
      label: "db1:3306",
      connectionsOf: async () => {
        await store.transact([], [{ put: `${ALIVE_PREFIX}p1`, value: "{}" }]);
        return [];
      },
      kill: () => Promise.resolve(),
    };
    await expect(forgetProxy("p1", optionsFor(store, [waking]))).rejects.toMatchObject({ code: "CUTOVER_PROXY_ALIVE" });
    expect(await isRegistered(store)).toBe(true);
  });

  test("keeps the registration while a connection is still on a server: a statement that is undone keeps it", async () => {
    const store = await registered();
    const stuck = forgetProxy("p1", optionsFor(store, [server(1_000_000)]));
    await expect(stuck).rejects.toMatchObject({ code: "CUTOVER_CONNECTIONS_REMAIN" });
    expect(await isRegistered(store)).toBe(true);
  });

  test("is not done by a controller that leads no more", async () => {
    const store = await registered();
    const options = { ...optionsFor(store, [server(1)]), leadership: [{ key: LEADER_KEY, revision: 77 }] };
    await expect(forgetProxy("p1", options)).rejects.toMatchObject({ code: "CUTOVER_JOURNAL_CHANGED" });
    expect(await isRegistered(store)).toBe(true);
  });

  test("of one that is not registered changes nothing", async () => {
    const store = await registered();
    expect(await forgetProxy("p2", optionsFor(store, [server(1)]))).toBe(false);
  });
});
