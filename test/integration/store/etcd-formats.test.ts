import { afterAll, beforeAll } from "vitest";
import type { EtcdServer } from "../../../servers/etcd-server.ts";
import { EtcdStore } from "../../../src/store/etcd-store.ts";
import { startEtcd, stopEtcd } from "../../support/etcd.ts";
import { QUIET, storedFormats } from "../../unit/rules/stored-formats.ts";

let etcd: EtcdServer;
let opened = 0;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => stopEtcd([etcd]));

storedFormats("a real etcd", () => {
  const access = { endpoints: [etcd.endpoint] };
  const store = new EtcdStore({ access, root: "/switchyard", prefix: `/formats-${++opened}`, ...QUIET });
  return Promise.resolve({ store, end: () => store.close() });
});
