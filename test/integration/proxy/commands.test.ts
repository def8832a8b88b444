import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { withArmed } from "../../../src/rules/rules-edits.ts";
import { CAP, COM, STATUS } from "../../../src/wire/capabilities.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { buildGreeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { parseOk } from "../../../src/wire/ok-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import {
  abort,
  arm,
  disarm,
  drained,
  type Harness,
  hold,
  PASSWORD,
  seed,
  startHarness,
  swap,
  USER,
} from "./proxy-harness.ts";
import { command, onStatement, RawClient } from "./raw-client.ts";
import { answersOf, CAPABILITY_SETS, type CapabilitySet, differences } from "./same-answers.ts";
import { startRelay } from "./tcp-relay.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let clients: RawClient[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of Object.values(servers)) {
    await server.root("INSERT INTO shop.orders (id, note) VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    await manyTransactions(server);
    // The server's own cache of passwords, as raw clients come without TLS.
    await (
      await mysql.createConnection({ host: "127.0.0.1", port: server.port, user: USER, password: PASSWORD })
    ).end();
  }
  harness = await startHarness(servers);
  // The password is known from here on, so that raw clients may log in without TLS.
  await (await harness.connect()).end();
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** From here on the numbers of a server's transactions have four digits, so that what names them is of one length. */
async function manyTransactions(server: TestServer): Promise<void> {
  const [[row]] = [await server.root("SELECT @@server_uuid AS uuid, @@gtid_executed AS done")];
  const { uuid, done } = row as { uuid: string; done: string };
  const last = Number(/(\d+)$/.exec(done)?.[1] ?? 0);
  await server.root(`SET GLOBAL gtid_purged = '+${uuid}:${last + 1}-1000'`);
}

async function connect(): Promise<RawClient> {
  const client = await RawClient.connect(harness.port);
  clients.push(client);
  return client;
}

const query = (text: string): Buffer => command(COM.QUERY, text);
const status = (end: Buffer): number => parseOk(end, CAP.DEPRECATE_EOF).status;

/** Prepares a statement without parameters and with one column; answers its id. */
async function prepare(client: RawClient, text: string): Promise<number> {
  client.send(command(COM.STMT_PREPARE, text));
  const [first] = await client.packets(2);
  return first?.readUInt32LE(1) ?? 0;
}

const EXECUTE_WITH_CURSOR = Buffer.from([1, 1, 0, 0, 0]);

const CAPABILITIES = CAPABILITY_SETS.map((set) => [set[0], set] as const);

/** Compares every packet with those that the same commands have at the server itself. */
async function compareAt(server: TestServer, [, more, less, tracked]: CapabilitySet): Promise<void> {
  const direct = await RawClient.connect(server.port, more, less);
  const client = await RawClient.connect(harness.port, more, less);
  clients.push(direct, client);
  const asked = { tracked: tracked !== undefined, moved: server === servers.new };
  expect(client.capabilities).toBe(direct.capabilities);
  const expected = await answersOf(direct, asked);
  expect(expected.length).toBeGreaterThan(40);
  expect(differences(await answersOf(client, asked), expected)).toEqual([]);
}

describe("every packet of a reply", () => {
  test.each(CAPABILITIES)("is the server's, byte for byte, with %s", (_, set) => compareAt(servers.old, set));
});

test("a server that lacks what a client uses serves other clients; this one is told so by name, and keeps a switch from being tried", async () => {
  const relay = await startRelay(servers.new);
  relay.greeting = (bytes) => {
    const greeting = parseGreeting(bytes.subarray(4));
    return frame(
      buildGreeting({ ...greeting, capabilities: (greeting.capabilities & ~CAP.QUERY_ATTRIBUTES) >>> 0 }),
      0,
    );
  };
  const older = Object.create(servers.new, { port: { value: relay.port } }) as TestServer;
  const proxy = await startHarness({ old: servers.old, new: older });
  const [client, plain] = [await proxy.connect(), await RawClient.connect(proxy.port)];
  await client.query("SELECT id FROM orders LIMIT 1");
  const reason = /lacks what this client uses: CLIENT_QUERY_ATTRIBUTES/;
  await proxy.change((rules) => withArmed(rules, "orders", { token: "t", tables: ["shop.orders"], newHome: "new" }));
  await expect.poll(async () => JSON.stringify((await proxy.document()).armed["orders"]?.blocked)).toMatch(reason);
  await proxy.change((rules) => ({
    ...rules,
    generation: rules.generation + 1,
    tables: { "shop.orders": { to: "new", migration: "orders" } },
  }));
  await expect.poll(() => client.query("SELECT id FROM orders").catch(String)).toMatch(reason);
  expect((await client.query("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
  expect((await plain.ask(query("SELECT id FROM orders WHERE id = 1")))[0]?.[0]).toBe(1);
  plain.close();
  await client.end();
  await proxy.close();
  await relay.close();
});

describe("commands", () => {
  test("that are pipelined are answered in their order", async () => {
    const client = await connect();
    client.send(query("DO SLEEP(0.05)"), command(COM.PING), query("nonsense"), command(COM.STATISTICS), query("DO 1"));
    const replies = await client.packets(5);
    expect(replies.map((reply) => reply[0])).toEqual([0x00, 0x00, 0xff, "U".charCodeAt(0), 0x00]);
  });

  test.each([
    ["COM_BINLOG_DUMP", COM.BINLOG_DUMP],
    ["COM_REGISTER_REPLICA", COM.REGISTER_REPLICA],
    ["COM_SHUTDOWN", COM.SHUTDOWN],
    ["COM_CLONE", COM.CLONE],
    ["COM_DEBUG", COM.DEBUG],
    ["COM_PROCESS_INFO", COM.PROCESS_INFO],
    ["COM_REFRESH", COM.REFRESH],
    ["COM_CREATE_DB", COM.CREATE_DB],
    ["a command that nobody knows", 0x7f],
  ])("%s is refused with one clear error, and the session goes on", async (_, byte) => {
    const client = await connect();
    client.send(command(byte, Buffer.alloc(20)));
    const refused = parseErr(await client.next());
    expect(refused).toMatchObject({ errno: 1235, sqlState: "42000" });
    expect(refused.message).toContain("Switchyard");
    client.send(command(COM.PING));
    expect((await client.next())[0]).toBe(0);
  });

  test("COM_SET_OPTION is in force on each backend, COM_FIELD_LIST goes to the table's home", async () => {
    const client = await connect();
    client.send(command(COM.SET_OPTION, Buffer.from([0, 0])));
    expect((await client.next())[0]).toBe(0xfe);
    client.send(query("DO 1; DO 2"));
    expect((await client.packets(2)).map((reply) => reply[0])).toEqual([0, 0]);
    client.send(command(COM.FIELD_LIST, "orders\0id"));
    const [definition, end] = await client.packets(2);
    expect(definition?.includes("orders")).toBe(true);
    expect(end?.[0]).toBe(0xfe);
  });

  test("on prepared statements that do not exist are errors, as a server's", async () => {
    const client = await connect();
    for (const byte of [COM.STMT_EXECUTE, COM.STMT_FETCH, COM.STMT_RESET]) {
      client.send(onStatement(byte, 4711, Buffer.alloc(5)));
      expect(parseErr(await client.next()).errno).toBe(1243);
    }
    client.send(onStatement(COM.STMT_CLOSE, 4711), onStatement(COM.STMT_SEND_LONG_DATA, 4711, Buffer.alloc(4)));
    client.send(command(COM.PING));
    expect((await client.next())[0]).toBe(0);
  });

  test("are bounded in one session, error 1461, and one that is closed makes room", async () => {
    const proxy = await startHarness(servers, { limits: { preparedStatementsMax: 2 } });
    const client = await RawClient.connect(proxy.port);
    clients.push(client);
    const text = command(COM.STMT_PREPARE, "DO 1");
    const [first] = [await client.ask(text), await client.ask(text)];
    expect(parseErr((await client.ask(text))[0] ?? Buffer.alloc(0))).toMatchObject({ errno: 1461, sqlState: "42000" });
    client.send(onStatement(COM.STMT_CLOSE, first[0]?.readUInt32LE(1) ?? 0));
    expect((await client.ask(text))[0]?.[0]).toBe(0);
    await proxy.close();
  });

  test("cut short end the connection, not the proxy", async () => {
    const client = await connect();
    client.send(Buffer.from([COM.STMT_EXECUTE, 1]));
    expect(parseErr(await client.next()).errno).toBe(1835);
    expect((await connect()) instanceof RawClient).toBe(true);
  });
});

describe("a cursor", () => {
  test("gives its rows by and by, and a hold waits until it is closed", async () => {
    const client = await connect();
    const id = await prepare(client, "SELECT note FROM orders ORDER BY id");
    client.send(onStatement(COM.STMT_EXECUTE, id, EXECUTE_WITH_CURSOR));
    const [, , opened] = await client.packets(3);
    expect(opened === undefined ? 0 : status(opened) & STATUS.CURSOR_EXISTS).toBe(STATUS.CURSOR_EXISTS);
    client.send(onStatement(COM.STMT_FETCH, id, Buffer.from([2, 0, 0, 0])));
    const fetched = await client.packets(3);
    expect(fetched.slice(0, 2).map((row) => row.toString("latin1").slice(3))).toEqual(["one", "two"]);
    await arm(harness);
    await hold(harness);
    await sleep(50);
    expect((await harness.document()).holds["orders"]).toMatchObject({
      state: "holding",
      open: [{ reason: "a cursor is open" }],
    });
    client.send(onStatement(COM.STMT_FETCH, id, Buffer.from([9, 0, 0, 0])));
    const [last, end] = await client.packets(2);
    expect(last?.toString("latin1").slice(3)).toBe("three");
    expect(end === undefined ? 0 : status(end) & STATUS.LAST_ROW_SENT).toBe(STATUS.LAST_ROW_SENT);
    await drained(harness);
    await abort(harness);
  });

  test("is closed by COM_STMT_RESET, which lets a hold drain", async () => {
    const client = await connect();
    const id = await prepare(client, "SELECT note FROM orders ORDER BY id");
    client.send(onStatement(COM.STMT_EXECUTE, id, EXECUTE_WITH_CURSOR));
    await client.packets(3);
    await arm(harness);
    await hold(harness);
    client.send(onStatement(COM.STMT_RESET, id));
    expect((await client.next())[0]).toBe(0);
    await drained(harness);
    await abort(harness);
  });
});

describe("a cursor that was asked for", () => {
  test("and that a statement without rows did not open keeps no hold from draining", async () => {
    const client = await connect();
    client.send(command(COM.STMT_PREPARE, "DELETE FROM orders WHERE id = 0"));
    const id = (await client.next()).readUInt32LE(1);
    client.send(onStatement(COM.STMT_EXECUTE, id, EXECUTE_WITH_CURSOR));
    expect((await client.next())[0]).toBe(0);
    await arm(harness);
    await hold(harness);
    await drained(harness);
    await abort(harness);
  });
});

describe("long data", () => {
  test("goes to the backend that gets the execute, in parts, once", async () => {
    const client = await connect();
    client.send(command(COM.STMT_PREPARE, "INSERT INTO orders (client, note) VALUES (77, ?)"));
    const [first] = await client.packets(2);
    const id = first?.readUInt32LE(1) ?? 0;
    const part = (text: string): Buffer =>
      onStatement(COM.STMT_SEND_LONG_DATA, id, Buffer.concat([Buffer.from([0, 0]), Buffer.from(text)]));
    const typed = Buffer.from([0, 1, 0, 0, 0, 0, 1, 0xfc, 0]);
    client.send(part("dropped"), onStatement(COM.STMT_RESET, id));
    await client.next();
    client.send(part("at "), part("home"), onStatement(COM.STMT_EXECUTE, id, typed));
    expect((await client.next())[0]).toBe(0);
    await arm(harness, "attempt-2");
    await hold(harness, { token: "attempt-2" });
    // Killed while it is held, so never sent: its values are forgotten as those of any other execute.
    client.send(part("killed, "), onStatement(COM.STMT_EXECUTE, id, typed));
    const killed = client.next();
    const killer = await harness.connect();
    for (let answered = false; !answered; ) {
      await killer.query(`KILL QUERY ${client.threadId}`);
      answered = await Promise.race([killed.then(() => true), sleep(20, false)]);
    }
    await killer.end();
    expect(parseErr(await killed).errno).toBe(1317);
    await drained(harness);
    await swap(harness, "attempt-2");
    await disarm(harness, "attempt-2");
    // The types were sent to the old home only, and are not sent again by the client.
    const untyped = Buffer.from([0, 1, 0, 0, 0, 0, 0]);
    client.send(part("away"), onStatement(COM.STMT_EXECUTE, id, untyped));
    expect((await client.next())[0]).toBe(0);
    const sql = "SELECT note FROM shop.orders WHERE client = 77";
    expect([await servers.old.root(sql), await servers.new.root(sql)]).toEqual([
      [{ note: "at home" }],
      [{ note: "away" }],
    ]);
  });
});

describe("every packet of a reply, where the tables have moved,", () => {
  test.each(CAPABILITIES)("is the new home's, byte for byte, with %s", (_, set) => compareAt(servers.new, set));
});
