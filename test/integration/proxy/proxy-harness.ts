import mysql from "mysql2/promise";
import { systemClock } from "../../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { type Metrics, noMetrics } from "../../../src/metrics/metrics.ts";
import type { CompressionWishes, CompressionWord } from "../../../src/mysql/compression-choice.ts";
import type { TlsSettings } from "../../../src/mysql/endpoint.ts";
import type { FrontTls, ProxyLimits, ProxyWorkerConfig } from "../../../src/proxy/proxy-config.ts";
import { type ProxyWorker, startProxyWorker } from "../../../src/proxy/proxy-worker.ts";
import { parseProxyDocument } from "../../../src/rules/proxy-codec.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import type { HoldRule, RulesDocument } from "../../../src/rules/rules-document.ts";
import { switched, withArmed, withHold, withoutAttempt } from "../../../src/rules/rules-edits.ts";
import { changeRules, readRules } from "../../../src/rules/rules-store.ts";
import { PROXIES_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Store } from "../../../src/store/store.ts";
import type { TestServer } from "../../support/servers.ts";

export const USER = "app";
export const PASSWORD = "app-pass-1";

/** A proxy in this process, over an embedded store in memory, in front of two real servers. */
export interface Harness {
  readonly store: EmbeddedStore;
  readonly worker: ProxyWorker;
  readonly port: number;
  connect(options?: mysql.ConnectionOptions): Promise<mysql.Connection>;
  /** What the worker has told the store. */
  document(): Promise<ProxyDocument>;
  /** Waits until what the worker has told fits. */
  told(test: (document: ProxyDocument) => boolean, what: string): Promise<ProxyDocument>;
  change(edit: (rules: RulesDocument) => RulesDocument | undefined): Promise<void>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  /** The store of another harness, whose worker is then a second proxy of the same fleet. */
  readonly store?: EmbeddedStore;
  readonly limits?: Partial<ProxyLimits>;
  /** Stands between the worker and the store, to take it away. */
  readonly wrap?: (store: Store) => Store;
  readonly tls?: FrontTls;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  readonly backendTls?: TlsSettings;
  readonly users?: ProxyWorkerConfig["users"];
  readonly hintUsers?: readonly string[];
  readonly trustedNetworks?: readonly string[];
  /** Of the backends, the same for both. */
  readonly backendCompression?: CompressionWishes;
  /** Offered to clients. */
  readonly compression?: readonly CompressionWord[];
}

/** Makes the account and the schema on both servers: the same account, the same tables, no rows. */
export async function seed(servers: Readonly<Record<"old" | "new", TestServer>>): Promise<void> {
  for (const server of Object.values(servers)) {
    await server.root(`
      CREATE USER IF NOT EXISTS ${USER}@'%' IDENTIFIED BY '${PASSWORD}';
      GRANT ALL ON shop.* TO ${USER}@'%';
      CREATE DATABASE IF NOT EXISTS shop;
      CREATE TABLE IF NOT EXISTS shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, client INT, note VARCHAR(100));
      CREATE TABLE IF NOT EXISTS shop.other (id INT PRIMARY KEY AUTO_INCREMENT, client INT, note VARCHAR(100));
      DELETE FROM shop.orders; DELETE FROM shop.other;
    `);
  }
}

export async function startHarness(
  servers: Readonly<Record<"old" | "new", Pick<TestServer, "host" | "port">>>,
  options: HarnessOptions = {},
): Promise<Harness> {
  const store =
    options.store ?? (await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger }));
  const backend = (name: "old" | "new") => ({
    name,
    host: servers[name].host,
    port: servers[name].port,
    tls: options.backendTls ?? { mode: "preferred" as const },
    ...(options.backendCompression === undefined ? {} : { compression: options.backendCompression }),
  });
  const worker = await startProxyWorker({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      name: "test",
      version: "0",
      backends: { old: backend("old"), new: backend("new") },
      defaultBackend: "old",
      tls: options.tls ?? "generated",
      users: options.users ?? [],
      hintUsers: options.hintUsers ?? [],
      trustedNetworks: options.trustedNetworks ?? [],
      ...(options.compression === undefined ? {} : { compression: options.compression }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    store: options.wrap?.(store) ?? store,
    log: options.log ?? silentLogger,
    clock: systemClock,
    metrics: options.metrics ?? noMetrics,
  });
  const { port } = worker;
  const document = async (): Promise<ProxyDocument> => {
    const entry = await store.get(PROXIES_PREFIX + worker.id);
    if (entry === undefined) throw new Error("the worker is not registered");
    return parseProxyDocument(entry.value);
  };
  return {
    store,
    worker,
    port,
    document,
    connect: (more = {}) =>
      mysql.createConnection({ host: "127.0.0.1", port, user: USER, password: PASSWORD, database: "shop", ...more }),
    told: async (test, what) => {
      for (let i = 0; i < 500; i++) {
        const found = await document();
        if (test(found)) return found;
        await systemClock.sleep(10);
      }
      throw new Error(`the worker never said: ${what}; it says ${JSON.stringify(await document())}`);
    },
    change: async (edit) => {
      await changeRules(store, edit);
    },
    close: async () => {
      await worker.close({ drainMs: 0 });
      if (options.store === undefined) await store.close();
    },
  };
}

export const TOKEN = "attempt-1";
export const HOLD: HoldRule = { token: TOKEN, tables: ["shop.orders"], ttlMs: 10_000, oldHome: "old", newHome: "new" };

/** Arms the migration of shop.orders and waits until the worker is ready. */
export async function arm(harness: Harness, token = TOKEN, newHome = "new"): Promise<ProxyDocument> {
  await harness.change((rules) => withArmed(rules, "orders", { token, tables: ["shop.orders"], newHome }));
  return harness.told(
    (told) => told.armed["orders"]?.token === token && told.armed["orders"].state === "ready",
    "ready",
  );
}

/** Holds shop.orders; does not wait for the drain. */
export async function hold(harness: Harness, rule: Partial<HoldRule> = {}): Promise<void> {
  const whole = { ...HOLD, ...rule };
  await harness.change((rules) => withHold(rules, "orders", whole));
  await harness.told((told) => told.holds["orders"]?.token === whole.token, "holding");
}

export async function drained(harness: Harness): Promise<void> {
  await harness.told((told) => told.holds["orders"]?.state === "drained", "drained");
}

/** The switch itself, under the token of the hold. */
export async function swap(harness: Harness, token = TOKEN): Promise<void> {
  await harness.change((rules) => switched(rules, "orders", token, `switch-${token}`));
}

/** Removes hold and arming: the attempt was given up. */
export async function abort(harness: Harness, token = TOKEN): Promise<void> {
  await harness.change((rules) => withoutAttempt(rules, "orders", token));
}

/** Takes the arming away after a switch. */
export async function disarm(harness: Harness, token = TOKEN): Promise<void> {
  await harness.change((rules) => withoutAttempt(rules, "orders", token));
  const { rules } = await readRules(harness.store);
  await harness.told((told) => told.generation === rules.generation, "the last generation");
}
