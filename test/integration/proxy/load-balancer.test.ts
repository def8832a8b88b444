import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Server } from "node:net";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SESSIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runMysql } from "./mysql-client.ts";
import { type Harness, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
const balancers: Server[] = [];

const LINE = Buffer.from("PROXY TCP4 192.0.2.77 198.51.100.2 50000 3306\r\n");
const BINARY = Buffer.from("0d0a0d0a000d0a515549540a2111000cc000024dc6336402c3500cea", "hex");
const HEALTH_CHECK = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
const ssl = { rejectUnauthorized: false };

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  harness = await startHarness(servers, { trustedNetworks: ["127.0.0.0/8"] });
});

afterAll(async () => {
  for (const balancer of balancers) balancer.close();
  await harness?.close();
  await stopServers(servers);
});

/** A load balancer in front of a proxy, which begins each connection with this header. */
async function balance(header: Buffer, port = harness.port): Promise<number> {
  const server = createServer((client) => {
    const proxy = connectTcp(port, "127.0.0.1");
    proxy.write(header);
    client.pipe(proxy).pipe(client);
    client.on("error", () => proxy.destroy());
    proxy.on("error", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  balancers.push(server);
  return (server.address() as AddressInfo).port;
}

/** All that the other side says, until it closes. */
async function told(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connectTcp(port, "127.0.0.1");
  const parts: Buffer[] = [];
  socket.on("data", (part) => parts.push(part));
  socket.on("error", () => undefined);
  socket.write(bytes);
  await once(socket, "close");
  return Buffer.concat(parts);
}

describe("behind a load balancer", () => {
  test.each([
    ["as a line", LINE],
    ["in binary", BINARY],
  ])("the client's address, told %s, is what sessions and the server show", async (_, header) => {
    const port = await balance(header);
    const client = await mysql.createConnection({ host: "127.0.0.1", port, user: USER, password: PASSWORD, ssl });
    const rows = await servers.old.root(`
      SELECT ATTR_VALUE AS value FROM performance_schema.session_connect_attrs
      WHERE PROCESSLIST_ID = ${client.threadId} AND ATTR_NAME = 'switchyard_client'`);
    expect(rows).toEqual([{ value: "192.0.2.77" }]);
    await expect
      .poll(async () => (await harness.store.get(SESSIONS_PREFIX + harness.worker.id))?.value ?? "", {
        timeout: 10_000,
      })
      .toContain('"host":"192.0.2.77"');
    await client.end();
    const run = await runMysql(port, [`--user=${USER}`, `--password=${PASSWORD}`, "-N", "-e", "SELECT 1"]);
    expect(run).toMatchObject({ code: 0, out: "1\n" });
  });

  test("a balancer that speaks for itself is served under its own address", async () => {
    const port = await balance(HEALTH_CHECK);
    const client = await mysql.createConnection({ host: "127.0.0.1", port, user: USER, password: PASSWORD, ssl });
    const rows = await servers.old.root(`
      SELECT ATTR_VALUE AS value FROM performance_schema.session_connect_attrs
      WHERE PROCESSLIST_ID = ${client.threadId} AND ATTR_NAME = 'switchyard_client'`);
    expect(rows).toEqual([{ value: "127.0.0.1" }]);
    await client.end();
  });

  test.each([
    ["something else", Buffer.from("GET / HTTP/1.0\r\n\r\n")],
    ["an endless line", Buffer.from(`PROXY TCP4 ${"1".repeat(500)}`)],
    ["nothing, for too long", Buffer.alloc(0)],
  ])("a connection from a trusted network that begins with %s is closed without a greeting", async (_, bytes) => {
    expect(await told(harness.port, bytes)).toEqual(Buffer.alloc(0));
  });

  test("a header from elsewhere is no header: nobody is believed who is not trusted", async () => {
    const plain = await startHarness(servers);
    const said = await told(plain.port, LINE);
    // A greeting, as for everybody, and then an error.
    expect(said[4]).toBe(10);
    expect(said.includes("Malformed communication packet") || said.includes("max_allowed_packet")).toBe(true);
    await plain.close();
  });
});
