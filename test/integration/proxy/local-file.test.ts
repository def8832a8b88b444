import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runMysql } from "./mysql-client.ts";
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
import { command, RawClient } from "./raw-client.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let folder: string;
let clients: RawClient[] = [];

const LOAD = "LOAD DATA LOCAL INFILE 'of-the-client' INTO TABLE orders (id, note)";
const END = Buffer.alloc(0);
const rows = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: to - from + 1 }, (_, at) => `${from + at}\tnote ${from + at}\n`).join(""));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-file-"));
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of [servers.old, servers.new]) await server.root("SET GLOBAL local_infile = ON");
  harness = await startHarness(servers);
});

beforeEach(async () => {
  await servers.old.root("DELETE FROM shop.orders");
  await (await harness.connect()).end();
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
  rmSync(folder, { recursive: true, force: true });
});

async function connect(more = CAP.LOCAL_FILES | CAP.MULTI_STATEMENTS, port = harness.port): Promise<RawClient> {
  const client = await RawClient.connect(port, more);
  clients.push(client);
  return client;
}

const query = (text: string): Buffer => command(COM.QUERY, text);

async function count(server: TestServer, table = "shop.orders"): Promise<number> {
  const [row] = await server.root(`SELECT COUNT(*) AS n FROM ${table}`);
  return Number(row?.["n"]);
}

/** The client sends a first part of a file and no more: the statement is in flight. */
async function loading(client: RawClient, first = rows(1, 3)): Promise<void> {
  client.send(query(LOAD));
  expect((await client.next())[0]).toBe(0xfb);
  client.sendFile(first);
}

async function until(test: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await test()) return;
    await sleep(20);
  }
  throw new Error(`it never came to: ${what}`);
}

const atWork = (server: TestServer): ReturnType<TestServer["root"]> =>
  server.root("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA LOCAL%'");
const loads = async (server: TestServer): Promise<number> => (await atWork(server)).length;

describe("LOAD DATA LOCAL INFILE", () => {
  test("of MySQL's own client sends its file, of many packets, and then its other statements", async () => {
    const file = join(folder, "orders.tsv");
    writeFileSync(file, rows(1, 50_000));
    const login = ["--local-infile=1", `--user=${USER}`, `--password=${PASSWORD}`, "shop", "-N"];
    const sql = `LOAD DATA LOCAL INFILE '${file}' INTO TABLE orders (id, note); SELECT COUNT(*), SUM(id) FROM orders`;
    const run = await runMysql(harness.port, [...login, "-e", sql]);
    expect(run).toMatchObject({ code: 0, error: "", out: "50000\t1250025000\n" });
    const gone = await runMysql(harness.port, [...login, "-e", sql.replace(file, join(folder, "missing"))]);
    expect(gone.error).toMatch(/ERROR 2 .*missing/);
    expect(await count(servers.old)).toBe(50_000);
  });

  test("of mysql2 streams its file, and the session goes on", async () => {
    const file = join(folder, "streamed.tsv");
    writeFileSync(file, rows(1, 20_000));
    const client = await harness.connect({ flags: ["+LOCAL_FILES"] });
    const [result] = await client.query<ResultSetHeader>({
      sql: LOAD,
      infileStreamFactory: () => createReadStream(file),
    });
    expect(result.affectedRows).toBe(20_000);
    const [[row]] = await client.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM orders");
    expect(row?.["n"]).toBe(20_000);
    await client.end();
  });

  test("is refused by the server where the client sends no files, and its file is never asked for", async () => {
    const client = await connect(0);
    client.send(query(LOAD), command(COM.PING));
    expect(parseErr(await client.next()).errno).toBe(3948);
    expect((await client.next())[0]).toBe(0);
  });

  test("keeps its place among several statements in one text, and may come twice", async () => {
    const client = await connect();
    client.send(query(`DO 1; ${LOAD}; SELECT COUNT(*) FROM orders`));
    expect((await client.next())[0]).toBe(0);
    expect((await client.next())[0]).toBe(0xfb);
    // Packets of a file go on counting from the request.
    client.sendFileFrom(2, rows(1, 4), END);
    const [loaded, columns, , row] = await client.packets(5);
    expect([loaded?.[0], columns?.[0], row?.toString("latin1", 1)]).toEqual([0, 1, "4"]);
    client.send(query(`${LOAD}; ${LOAD}`));
    expect((await client.next())[0]).toBe(0xfb);
    client.sendFile(rows(10, 12), END);
    expect((await client.packets(2)).map((reply) => reply[0])).toEqual([0, 0xfb]);
    client.sendFileFrom(5, rows(13, 14), END);
    expect((await client.next())[0]).toBe(0);
    client.send(command(COM.PING));
    expect((await client.next())[0]).toBe(0);
    expect(await count(servers.old)).toBe(9);
  });

  test("is followed by commands that were sent behind its file", async () => {
    const client = await connect();
    client.send(query("DO 0"), query(LOAD));
    client.sendFile(rows(1, 2), rows(3, 3), END);
    client.send(query("SELECT 1 FROM nowhere"), command(COM.PING));
    const replies = await client.packets(5);
    expect(replies.map((reply) => reply[0])).toEqual([0x00, 0xfb, 0x00, 0xff, 0x00]);
    expect(await count(servers.old)).toBe(3);
  });

  test("that fails at the server in the middle ends with its error, once the file has ended", async () => {
    const client = await connect();
    client.send(query("LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE orders (id, @n) SET note = ST_GeomFromText(@n)"));
    expect((await client.next())[0]).toBe(0xfb);
    client.sendFile(rows(1, 1000));
    await sleep(100);
    client.sendFile(rows(1, 1000), END);
    expect(parseErr(await client.next()).errno).toBe(3037);
    client.send(command(COM.PING));
    expect((await client.next())[0]).toBe(0);
    expect(await count(servers.old)).toBe(0);
  });

  test("whose client dies in the middle leaves nothing: a file cut short is not taken for a whole one", async () => {
    const client = await connect();
    await loading(client, rows(1, 20_000));
    await until(async () => (await loads(servers.old)) === 1, "the server reads the file");
    client.close();
    await until(async () => (await loads(servers.old)) === 0, "the server has given it up");
    expect(await count(servers.old)).toBe(0);
  });
});

describe("a file whose packets are numbered wrong", () => {
  /**
   * 1. A client answers the request for its file with a packet that has not the number that is due.
   * 2. A server gives up the file behind that packet's header, skips another, and takes what follows for a command.
   * 3. What follows, in the middle of a "file", is a write that no proxy has looked at.
   */
  test("ends the session, and no part of it reaches the server as a command", async () => {
    const client = await connect();
    client.send(query(LOAD));
    expect((await client.next())[0]).toBe(0xfb);
    client.sendFile(rows(1, 3));
    const smuggled = frame(query("INSERT INTO other (id) VALUES (4711)"), 0);
    client.sendFileFrom(98, Buffer.concat([Buffer.from([1, 0, 0, 98]), smuggled]));
    expect(parseErr(await client.next()).errno).toBe(1835);
    await expect(client.next()).rejects.toThrow();
    const left = `SELECT ID FROM information_schema.PROCESSLIST WHERE ID = ${client.threadId}`;
    await until(async () => (await servers.old.root(left)).length === 0, "the server has given it up");
    expect(await count(servers.old)).toBe(0);
    expect(await count(servers.old, "shop.other")).toBe(0);
  });
});

describe("LOAD DATA LOCAL INFILE and a switch", () => {
  test("is held before it is sent, and then goes to the new home", async () => {
    const client = await connect();
    await arm(harness);
    await hold(harness);
    await drained(harness);
    client.send(query(LOAD));
    await sleep(100);
    expect(await loads(servers.old)).toBe(0);
    await swap(harness);
    expect((await client.next())[0]).toBe(0xfb);
    client.sendFile(rows(1, 7), END);
    expect((await client.next())[0]).toBe(0);
    expect([await count(servers.old), await count(servers.new)]).toEqual([0, 7]);
    await disarm(harness);
    // Back again, for the next test.
    await harness.change((rules) => ({ ...rules, tables: {} }));
    await servers.new.root("DELETE FROM shop.orders");
  });

  test("keeps a hold from draining while its client takes its time, and the hold says so", async () => {
    const client = await connect();
    await loading(client);
    await arm(harness, "attempt-2");
    await hold(harness, { token: "attempt-2" });
    await sleep(100);
    expect((await harness.document()).holds["orders"]).toMatchObject({
      state: "holding",
      open: [{ user: USER, reason: "its client is sending a file (LOAD DATA LOCAL)" }],
    });
    client.sendFile(rows(4, 5), END);
    expect((await client.next())[0]).toBe(0);
    await drained(harness);
    await abort(harness, "attempt-2");
    expect(await count(servers.old)).toBe(5);
  });

  test("in the same session before and after, each at the home of its time", async () => {
    const client = await connect();
    await loading(client);
    client.sendFile(END);
    expect((await client.next())[0]).toBe(0);
    await arm(harness, "attempt-3");
    await hold(harness, { token: "attempt-3" });
    await drained(harness);
    await swap(harness, "attempt-3");
    await disarm(harness, "attempt-3");
    await loading(client, rows(10, 11));
    client.sendFile(END);
    expect((await client.next())[0]).toBe(0);
    expect([await count(servers.old), await count(servers.new)]).toEqual([3, 2]);
    await harness.change((rules) => ({ ...rules, tables: {} }));
    await servers.new.root("DELETE FROM shop.orders");
  });
});

describe("a file that the server takes slowly", () => {
  /**
   * 1. A transaction of somebody else's holds the row that the file's first row needs.
   * 2. The server asks for the file, and stops reading at its first row.
   * 3. The client has 256 MB to send. What it can get rid of is what the sockets on the way hold, and the little that
   *    the proxy reads ahead.
   */
  test("is read from the client no faster", async () => {
    await servers.old.root("INSERT INTO shop.orders (id, note) VALUES (1, 'in the way')");
    const other = await harness.connect();
    await other.query("BEGIN");
    await other.query("UPDATE orders SET note = 'locked' WHERE id = 1");
    const client = await connect();
    client.send(query("LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE orders (id, note)"));
    expect((await client.next())[0]).toBe(0xfb);
    const part = Buffer.alloc(1024 * 1024, "1\tx\n");
    let sent = 0;
    const sending = (async () => {
      for (; sent < 256; sent++) await client.sendFileSlowly(part);
    })().catch(() => undefined);
    await sleep(2000);
    const taken = sent;
    await sleep(1000);
    expect(sent).toBe(taken);
    expect(taken).toBeLessThan(64);
    for (const row of await atWork(servers.old)) await servers.old.root(`KILL ${row["ID"]}`);
    await sending;
    await other.end();
    await until(async () => (await loads(servers.old)) === 0, "the server has given it up");
    await servers.old.root("DELETE FROM shop.orders");
  });

  /** A server that waits for a lock does not read, and does not see that the connection was closed. */
  test("is given up soon when its client has gone, though the server waits for a lock", async () => {
    await servers.old.root("INSERT INTO shop.orders (id, note) VALUES (1, 'in the way')");
    const other = await harness.connect();
    await other.query("BEGIN");
    await other.query("UPDATE orders SET note = 'locked' WHERE id = 1");
    const client = await connect();
    client.send(query("LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE orders (id, note)"));
    expect((await client.next())[0]).toBe(0xfb);
    // More than the sockets on the way to the server hold.
    for (let at = 0; at < 20; at++) await client.sendFileSlowly(Buffer.alloc(1024 * 1024, "1\tx\n"));
    client.close();
    await until(async () => (await loads(servers.old)) === 0, "the server has given it up");
    await other.query("COMMIT");
    await other.end();
    expect(await servers.old.root("SELECT note FROM shop.orders")).toEqual([{ note: "locked" }]);
  });
});
