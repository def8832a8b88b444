import { afterEach, beforeEach } from "vitest";
import { type AdminServer, startAdmin } from "../../../src/admin/admin-server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { CliContext } from "../../../src/cli/cli-context.ts";
import { runCli } from "../../../src/cli/program.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { MIGRATIONS_PREFIX, ORDERS_PREFIX, STATUS_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

/** A store and the admin API over it, made anew for each test of the file that imports this. */
export let store: EmbeddedStore;
export let admin: AdminServer;

beforeEach(async () => {
  store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  admin = await startAdmin({
    config: { listen: { host: "127.0.0.1", port: 0 }, tokens: [], insecure: false },
    store,
    clock: systemClock,
    log: silentLogger,
    version: "1",
    metrics: () => Promise.resolve({ contentType: "", text: "" }),
  });
});

afterEach(async () => {
  await admin.close();
  await store.close();
});

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly json: any;
}

export async function run(line: string | readonly string[], context: Partial<CliContext> = {}): Promise<Ran> {
  let out = "";
  let err = "";
  const exit = await runCli(typeof line === "string" ? line.split(" ") : line, {
    environment: { all: {}, server: admin.url, token: undefined, ca: undefined, config: undefined },
    clock: systemClock,
    version: "9.9.9",
    out: (text) => {
      out += text;
    },
    terminal: undefined,
    signal: new AbortController().signal,
    serve: () => Promise.resolve(0),
    ...context,
    err: (text) => {
      err += text;
      context.err?.(text);
    },
  });
  return { exit, out, err, json: line.includes("--json") ? JSON.parse(out) : undefined };
}

/** Answers orders as a leading controller would. */
export async function controller(answer: (order: OrderDocument) => Partial<OrderDocument>): Promise<OrderDocument[]> {
  const taken: OrderDocument[] = [];
  await store.watch(ORDERS_PREFIX, {
    reset: () => undefined,
    change(events) {
      for (const { key, value } of events) {
        const order = JSON.parse(value ?? "{}") as OrderDocument;
        if (order.state !== "pending") continue;
        taken.push(order);
        void store.transact([], [{ put: key, value: JSON.stringify({ ...order, ...answer(order) }) }]);
      }
    },
  });
  return taken;
}

export const MIGRATION = {
  format: 1,
  id: "orders",
  source: "old",
  target: "new",
  tables: ["shop.items", "shop.orders"],
  phase: "running",
  streams: { forward: {}, reverse: {} },
  diffs: [
    { direction: "forward", finishedAt: "2026-01-01T00:00:00Z", verifiedAt: "u:1-5", rows: 1234567, differences: 0 },
  ],
  history: [{ at: "2026-01-01T00:00:00Z", who: "ann", what: "created", reason: "a try", result: "2 tables" }],
};

export const putMigration = (changes: object = {}): Promise<unknown> =>
  store.transact([], [{ put: `${MIGRATIONS_PREFIX}orders`, value: JSON.stringify({ ...MIGRATION, ...changes }) }]);

export const putStatus = (status: object): Promise<unknown> =>
  store.transact([], [{ put: `${STATUS_PREFIX}orders`, value: JSON.stringify({ format: 1, ...status }) }]);

export const STREAM = {
  direction: "forward",
  state: "running",
  copied: true,
  rowsCopied: 500_000,
  rowsEstimated: 480_000,
  tables: [],
  lagMs: 234,
  appliedTransactions: 4321,
  drift: 0,
  ddl: 0,
  executed: "u:1-9",
};
