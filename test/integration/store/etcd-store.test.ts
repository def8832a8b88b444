import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { EtcdServer } from "../../../servers/etcd-server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EtcdStore, type EtcdStoreOptions } from "../../../src/store/etcd-store.ts";
import { startEtcd, stopEtcd } from "../../support/etcd.ts";
import { storeConformance } from "../../unit/store/conformance.ts";

let plain: EtcdServer;
let opened = 0;

beforeAll(async () => {
  plain = await startEtcd();
});

afterAll(() => stopEtcd([plain]));

function open(access: EtcdStoreOptions["access"]): { store: EtcdStore; end(): Promise<void> } {
  const prefix = `/conformance-${++opened}`;
  const store = new EtcdStore({ access, root: "", prefix, clock: systemClock, log: silentLogger });
  return { store, end: () => store.close() };
}

storeConformance("a real etcd", () => Promise.resolve(open({ endpoints: [plain.endpoint] })));

test("a proxy that the environment names for the web does not come between us and etcd", async () => {
  for (const name of ["http_proxy", "https_proxy", "grpc_proxy"]) vi.stubEnv(name, "http://127.0.0.1:9");
  const { store, end } = open({ endpoints: [plain.endpoint] });
  try {
    expect(await store.get("nothing")).toBeUndefined();
  } finally {
    vi.unstubAllEnvs();
    await end();
  }
});
