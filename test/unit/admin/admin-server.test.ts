import { createHash } from "node:crypto";
import { get as getPlain } from "node:http";
import { get as getTls, type RequestOptions } from "node:https";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AdminServer, startAdmin } from "../../../src/admin/admin-server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { AdminConfig } from "../../../src/config/config.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { generateCertificate } from "../../../src/proxy/server-keys.ts";
import {
  ALIVE_PREFIX,
  MIGRATIONS_PREFIX,
  ORDERS_PREFIX,
  PROXIES_PREFIX,
  RULES_KEY,
} from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

const LOCAL: AdminConfig = { listen: { host: "127.0.0.1", port: 0 }, tokens: [], insecure: false };
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

let store: EmbeddedStore;
let admin: AdminServer;

beforeEach(async () => {
  store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
});

afterEach(async () => {
  await admin.close();
  await store.close();
});

async function start(config: AdminConfig = LOCAL): Promise<void> {
  admin = await startAdmin({
    config,
    store,
    clock: systemClock,
    log: silentLogger,
    version: "1.2.3",
    metrics: () => Promise.resolve({ contentType: "text/plain", text: "switchyard_build_info 1\n" }),
  });
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const url = admin.url.replace("0.0.0.0", "127.0.0.1");
  const response = await fetch(url + path, init);
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, body: json ? JSON.parse(text) : text };
}

const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const putMigration = (id: string): Promise<unknown> =>
  store.transact(
    [],
    [
      {
        put: MIGRATIONS_PREFIX + id,
        value: JSON.stringify({
          format: 1,
          id,
          phase: "running",
          diffs: [],
          history: [{ at: "t", who: "w", what: "x" }],
        }),
      },
    ],
  );

const create = { id: "orders", from: "old", to: "new", tables: ["shop.orders"] };

describe("an order", () => {
  test("is stored as pending with who asked, and its progress can be awaited", async () => {
    await start();
    const placed = await post("/v1/migrations", { ...create, reason: "a try" });
    expect(placed.status).toBe(202);
    const order = placed.body.order as OrderDocument;
    expect(order).toMatchObject({
      format: 1,
      command: "migration-create",
      migration: "orders",
      options: { from: "old", to: "new", tables: ["shop.orders"] },
      who: "local",
      reason: "a try",
      state: "pending",
      steps: [],
    });
    const key = ORDERS_PREFIX + order.id;
    expect(JSON.parse((await store.get(key))?.value ?? "")).toEqual(order);

    const waiting = ask(`/v1/orders/${order.id}?waitMs=10000&after=${placed.body.revision}`);
    await systemClock.sleep(50);
    await store.transact([], [{ put: key, value: JSON.stringify({ ...order, state: "done", result: { ok: true } }) }]);
    expect((await waiting).body.order).toMatchObject({ state: "done", result: { ok: true } });
  });

  test("that was sent twice under one id is one order, and another order under that id is refused", async () => {
    await start();
    const first = await post("/v1/migrations", { ...create, order: "order-0001" });
    const second = await post("/v1/migrations", { ...create, order: "order-0001" });
    expect(second).toEqual(first);
    const other = await post("/v1/migrations", { ...create, id: "others", order: "order-0001" });
    expect([other.status, other.body.error.code]).toEqual([400, "ADMIN_ORDER_EXISTS"]);
    expect((await store.list(ORDERS_PREFIX)).entries).toHaveLength(1);
  });

  test("whose progress is awaited is shown as it is when the wait ends, or when the server closes", async () => {
    await start();
    const { body } = await post("/v1/migrations", create);
    const after = body.revision as number;
    expect((await ask(`/v1/orders/${body.order.id}?waitMs=50&after=${after}`)).body.order.state).toBe("pending");
    const waiting = ask(`/v1/orders/${body.order.id}?waitMs=60000&after=${after}`);
    await systemClock.sleep(50);
    await admin.close();
    await waiting.catch(() => undefined);
  });

  test.each([
    ["no tables", { ...create, tables: [] }, "tables"],
    ["a name with capitals", { ...create, id: "Orders" }, "id"],
    ["a name of 41 characters", { ...create, id: "o".repeat(41) }, "id"],
    ["a table without its schema", { ...create, tables: ["orders"] }, "tables.0"],
    ["1001 tables", { ...create, tables: Array.from({ length: 1001 }, (_, n) => `s.t${n}`) }, "tables"],
    ["an unknown field", { ...create, froom: "x" }, "froom"],
    ["a reason that is a book", { ...create, reason: "x".repeat(501) }, "reason"],
  ])("with %s is refused by field, and nothing is stored", async (_, body, field) => {
    await start();
    const { status, body: answer } = await post("/v1/migrations", body);
    expect([status, answer.error.code, answer.error.exit]).toEqual([400, "ADMIN_REQUEST_INVALID", 2]);
    expect(answer.error.message).toContain(field);
    expect((await store.list(ORDERS_PREFIX)).entries).toEqual([]);
  });

  test.each([
    ["pause", {}, "migration-pause", {}],
    ["resume", {}, "migration-resume", {}],
    ["tune", { throttleCommitMs: 0 }, "migration-tune", { throttleCommitMs: 0, reset: false }],
    ["repoint", { source: "db1b" }, "migration-repoint", { source: "db1b" }],
    ["cancel", {}, "migration-cancel", { keepData: false }],
    ["complete", { oldTables: "drop" }, "migration-complete", { oldTables: "drop", force: false }],
    ["diff", {}, "diff-start", {}],
    ["diff-stop", {}, "diff-stop", {}],
    ["diff-repair", { dryRun: true }, "diff-repair", { dryRun: true }],
    [
      "switch",
      { dryRun: true, maxLagMs: 5 },
      "switch",
      { dryRun: true, maxLagMs: 5, openTransactions: "wait", pinned: "abort", fence: "lock" },
    ],
    [
      "rollback",
      { force: true, reason: "r", fence: "none" },
      "rollback",
      { dryRun: false, force: true, fence: "none" },
    ],
  ])("to %s a migration carries the options that were given", async (action, body, command, options) => {
    await start();
    await putMigration("orders");
    const { status, body: answer } = await post(`/v1/migrations/orders/${action}`, body);
    expect(status).toBe(202);
    expect(answer.order).toMatchObject({ command, migration: "orders", options });
  });

  test("to fence by what there is not is refused, and told what there is", async () => {
    await start();
    await putMigration("orders");
    const { status, body } = await post("/v1/migrations/orders/switch", { fence: "read-only" });
    expect([status, body.error.code]).toEqual([400, "ADMIN_REQUEST_INVALID"]);
    expect(body.error.message).toContain("fence: lock, lock-read, none");
  });

  test("that forces a switch without a reason is refused", async () => {
    await start();
    await putMigration("orders");
    const { status, body } = await post("/v1/migrations/orders/switch", { force: true });
    expect([status, body.error.code]).toEqual([400, "ADMIN_REQUEST_INVALID"]);
    expect(body.error.message).toContain("reason");
  });

  test.each([
    ["openTransactions", "switch"],
    ["pinned", "rollback"],
  ])("to rehearse and to kill by %s is refused: clients' work would be ended for nothing", async (option, action) => {
    await start();
    await putMigration("orders");
    const { status, body } = await post(`/v1/migrations/orders/${action}`, { rehearse: true, [option]: "kill" });
    expect([status, body.error.code]).toEqual([400, "ADMIN_REQUEST_INVALID"]);
    expect(body.error.message).toContain(`${option}: wait or abort with rehearse`);
    expect((await store.list(ORDERS_PREFIX)).entries).toEqual([]);
  });

  test.each([
    ["without a word how its end is known", "p1", {}],
    ["with an empty reason", "p1", { reason: " " }],
    ["under an id that no proxy has", "a%2Fb", { reason: "r" }],
  ])("to forget a proxy %s is refused", async (_, id, body) => {
    await start();
    const { status, body: answer } = await post(`/v1/proxies/${id}/forget`, body);
    expect([status, answer.error.code]).toEqual([400, "ADMIN_REQUEST_INVALID"]);
    expect((await store.list(ORDERS_PREFIX)).entries).toEqual([]);
  });

  test("to forget one proxy under the id of an order about another is refused", async () => {
    await start();
    const forget = { order: "order-0002", reason: "its machine is gone" };
    expect((await post("/v1/proxies/p1/forget", forget)).body.order).toMatchObject({
      command: "proxy-forget",
      migration: "",
      options: { proxy: "p1" },
    });
    const other = await post("/v1/proxies/p2/forget", forget);
    expect([other.status, other.body.error.code]).toEqual([400, "ADMIN_ORDER_EXISTS"]);
  });

  test("for a migration that does not exist is refused with the command's exit code", async () => {
    await start();
    const { status, body } = await post("/v1/migrations/orders/switch", {});
    expect([status, body.error.code, body.error.exit]).toEqual([404, "MIGRATION_NOT_FOUND", 3]);
  });

  test("beyond a hundred that nobody has taken is refused", async () => {
    await start();
    for (let n = 0; n < 100; n++) await post("/v1/migrations", { ...create, id: `m${n}` });
    const { status, body } = await post("/v1/migrations", create);
    expect([status, body.error.code]).toEqual([429, "ADMIN_BUSY"]);
  });

  test("of more bytes than any order needs is refused before it is read", async () => {
    await start();
    const { status, body } = await post("/v1/migrations", { ...create, reason: "x".repeat(300_000) });
    expect([status, body.error.code]).toEqual([413, "ADMIN_REQUEST_INVALID"]);
  });
});

describe("what is shown", () => {
  test("of migrations: the journal, the live status and the last diff; the history apart", async () => {
    await start();
    await putMigration("orders");
    const list = await ask("/v1/migrations");
    expect(list.body).toEqual({
      format: 1,
      migrations: [{ format: 3, onDdl: "stop", id: "orders", phase: "running", diffs: [] }],
    });
    expect((await ask("/v1/migrations/orders")).body.migration.phase).toBe("running");
    expect((await ask("/v1/migrations/orders/history")).body.history).toEqual([{ at: "t", who: "w", what: "x" }]);
    expect((await ask("/v1/migrations/nope")).status).toBe(404);
    expect((await ask("/v1/migrations/..%2f..%2frules")).status).toBe(400);
  });

  test("of proxies: which live", async () => {
    await start();
    await store.transact(
      [],
      [
        { put: `${PROXIES_PREFIX}a`, value: JSON.stringify({ format: 1, id: "a", generation: 1 }) },
        { put: `${PROXIES_PREFIX}b`, value: JSON.stringify({ format: 1, id: "b", generation: 1 }) },
        { put: `${ALIVE_PREFIX}b`, value: "{}" },
      ],
    );
    const { body } = await ask("/v1/proxies");
    expect(body.proxies.map((proxy: { id: string; alive: boolean }) => [proxy.id, proxy.alive])).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });

  test("is refused where a newer version wrote it", async () => {
    await start();
    await store.transact([], [{ put: RULES_KEY, value: JSON.stringify({ format: 3 }) }]);
    expect((await ask("/v1/rules")).body.error.code).toBe("STORE_FORMAT_NEWER");
    // Whoever looks for what is wrong sees it as it is stored.
    expect((await ask("/v1/store")).body.entries).toEqual([
      { key: RULES_KEY, value: JSON.stringify({ format: 3 }), revision: expect.any(Number) },
    ]);
  });

  test("of readiness: not before there are rules and a live proxy, and not taken back by a switch", async () => {
    await start();
    expect((await ask("/healthz")).body).toEqual({ format: 1, status: "ok", version: "1.2.3" });
    expect((await ask("/readyz")).status).toBe(503);
    await store.transact([], [{ put: RULES_KEY, value: JSON.stringify({ format: 1, generation: 2 }) }]);
    expect((await ask("/readyz")).status).toBe(503);
    await store.transact(
      [],
      [
        { put: `${PROXIES_PREFIX}b`, value: JSON.stringify({ format: 1, id: "b", generation: 1 }) },
        { put: `${ALIVE_PREFIX}b`, value: "{}" },
      ],
    );
    const { status, body } = await ask("/readyz");
    expect([status, body.ready]).toEqual([200, true]);
    const failing = body.checks.filter((check: { ok: boolean }) => !check.ok);
    expect(failing.map((check: { name: string }) => check.name)).toEqual(["generation", "controller"]);
    await store.close();
    expect((await ask("/readyz")).status).toBe(503);
  });

  test("of what is not there: a clear answer", async () => {
    await start();
    expect((await ask("/v2/x")).body.error.code).toBe("ADMIN_NOT_FOUND");
    expect((await ask("/v1/orders/none-such-order")).status).toBe(404);
    expect((await ask("/metrics")).body).toContain("switchyard_build_info");
  });
});

describe("who may ask", () => {
  const guarded: AdminConfig = {
    listen: { host: "0.0.0.0", port: 0 },
    insecure: true,
    tokens: [
      { name: "ann", role: "operate", sha256: sha256("anns-token") },
      { name: "bob", role: "read", sha256: sha256("bobs-token") },
    ],
  };
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

  test("beyond loopback: nobody without a token, even from this machine", async () => {
    await start(guarded);
    for (const path of ["/v1/rules", "/metrics", "/v1/nothing"]) {
      const { status, body } = await ask(path);
      expect([path, status, body.error.code]).toEqual([path, 401, "ADMIN_UNAUTHENTICATED"]);
    }
    expect((await post("/v1/migrations", create)).status).toBe(401);
    expect((await ask("/v1/rules", { headers: bearer("wrong") })).status).toBe(401);
    expect((await ask("/v1/rules", { headers: { authorization: "Basic YTpi" } })).status).toBe(401);
    expect((await ask("/healthz")).status).toBe(200);
    expect((await store.list(ORDERS_PREFIX)).entries).toEqual([]);
  });

  test("a reader may look and not change; an operator's name is in the order", async () => {
    await start(guarded);
    expect((await ask("/v1/rules", { headers: bearer("bobs-token") })).status).toBe(200);
    const refused = await post("/v1/migrations", create, bearer("bobs-token"));
    expect([refused.status, refused.body.error.code]).toEqual([403, "ADMIN_FORBIDDEN"]);
    const placed = await post("/v1/migrations", create, bearer("anns-token"));
    expect([placed.status, placed.body.order.who]).toEqual([202, "ann"]);
  });

  test("on loopback: this machine's tools, but no web page that is open on it", async () => {
    await start();
    expect((await post("/v1/migrations", create)).status).toBe(202);
    const page = { origin: "https://evil.example" };
    expect((await post("/v1/migrations", { ...create, id: "x" }, page)).status).toBe(403);
    const form = { method: "POST", headers: { "content-type": "text/plain" }, body: JSON.stringify(create) };
    expect((await ask("/v1/migrations", form)).status).toBe(415);
    expect((await ask("/v1/rules", { headers: bearer("wrong") })).status).toBe(401);
    expect((await store.list(ORDERS_PREFIX)).entries).toHaveLength(1);
  });
});

describe("the transport", () => {
  /** Status of a GET with headers that fetch would not send. */
  function statusOf(get: typeof getTls | typeof getPlain, url: string, options: RequestOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = get(url, options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.once("error", reject);
    });
  }

  test("is TLS where a certificate is given, and nothing else", async () => {
    const tls = await generateCertificate(new Date());
    const token = { name: "ann", role: "read" as const, sha256: sha256("anns-token") };
    await start({ listen: { host: "0.0.0.0", port: 0 }, tokens: [token], insecure: false, tls });
    const url = admin.url.replace("0.0.0.0", "127.0.0.1");
    expect(url).toMatch(/^https:/);
    const trusted = { rejectUnauthorized: false, headers: { authorization: "Bearer anns-token" } };
    expect(await statusOf(getTls, `${url}/v1/rules`, trusted)).toBe(200);
    await expect(statusOf(getPlain, `${url.replace("https", "http")}/healthz`, {})).rejects.toThrow();
  });

  test("without a token wants to be addressed as loopback: a name that was made to point here is refused", async () => {
    await start();
    const rebound = { headers: { host: `rebound.example:${new URL(admin.url).port}` } };
    expect(await statusOf(getPlain, `${admin.url}/v1/rules`, rebound)).toBe(403);
    expect(await statusOf(getPlain, `${admin.url}/v1/rules`, { headers: { host: "localhost" } })).toBe(200);
  });
});

test("a port in use is one clear error with what to do", async () => {
  await start();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const second = startAdmin({
    config: { ...LOCAL, listen: { host: "127.0.0.1", port } },
    store,
    clock: systemClock,
    log: silentLogger,
    version: "1",
    metrics: () => Promise.resolve({ contentType: "", text: "" }),
  });
  await expect(second).rejects.toMatchObject({
    code: "ADMIN_LISTEN_FAILED",
    message: expect.stringMatching(/in use[\s\S]*admin: \{ listen/),
  });
  other.close();
});
