import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";
import { connect as secure } from "node:tls";
import mysql from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import { buildAuthSwitch } from "../../../src/wire/auth-packets.ts";
import { CAP } from "../../../src/wire/capabilities.ts";
import { buildGreeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { buildTlsRequest } from "../../../src/wire/handshake-response.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { makeCertificates } from "../../support/etcd.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { type ClientRun, runMysql } from "./mysql-client.ts";
import { type Harness, type HarnessOptions, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness | undefined;
const ends: string[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  await servers.old.root(`
    CREATE USER expired@'%' IDENTIFIED BY 'expired-1' PASSWORD EXPIRE;
    CREATE USER locked@'%' IDENTIFIED BY 'locked-1' ACCOUNT LOCK;
    CREATE USER certified@'%' IDENTIFIED BY 'certified-1' REQUIRE X509;
    CREATE USER blank@'%' IDENTIFIED BY '';
    CREATE USER changing@'%' IDENTIFIED BY 'before-1'; GRANT ALL ON shop.* TO changing@'%';
    CREATE USER elsewhere@'10.9.8.7' IDENTIFIED BY 'elsewhere-1';
    CREATE USER two@'%' IDENTIFIED BY 'older-1'; ALTER USER two@'%' IDENTIFIED BY 'newer-1' RETAIN CURRENT PASSWORD;
    CREATE USER ''@'%' IDENTIFIED BY 'anybody-1'`);
}, 60_000);
afterEach(async () => {
  await harness?.close();
  harness = undefined;
  ends.length = 0;
});
afterAll(() => stopServers(servers));

async function start(options: HarnessOptions = {}): Promise<Harness> {
  const counter: typeof noMetrics.counter = (name, labels) => ({
    add: () => {
      if (name === "disconnects_total") ends.push(Object.values(labels).join(" "));
    },
  });
  harness = await startHarness(servers, { metrics: { ...noMetrics, counter }, ...options });
  return harness;
}

/** What MySQL's own client shows of an attempt, straight at the server and through the proxy. */
async function both(args: readonly string[], proxy: Harness): Promise<{ direct: ClientRun; through: ClientRun }> {
  const all = [...args, "-e", "SELECT 1 AS one"];
  const [direct, through] = await Promise.all([servers.old.port, proxy.port].map((port) => runMysql(port, all)));
  return { direct, through } as { direct: ClientRun; through: ClientRun };
}

const TLS = ["--ssl-mode=REQUIRED"];
const PLAIN = ["--ssl-mode=DISABLED", "--get-server-public-key"];

describe.each([
  ["over TLS", TLS],
  ["without TLS", PLAIN],
])("a login that the server refuses, %s", (_, how) => {
  test.each([
    ["a wrong password", ["--user=app", "--password=wrong"], /^ERROR 1045 \(28000\).*using password: YES/],
    ["no password", ["--user=app", "--skip-password"], /^ERROR 1045 \(28000\).*using password: NO/],
    ["a password for an account without one", ["--user=blank", "--password=x"], /^ERROR 1045/],
    ["an unknown user", ["--user=nobody", "--password=x"], /^ERROR 1045/],
    ["a locked account", ["--user=locked", "--password=locked-1"], /^ERROR 3118 \(HY000\).*Account is locked/],
    ["an account of another host", ["--user=elsewhere", "--password=elsewhere-1"], /^ERROR 1045/],
  ])("is refused in the server's words: %s", async (_what, args, said) => {
    const proxy = await start();
    const { direct, through } = await both([...how, ...args], proxy);
    expect(direct.error).toMatch(said);
    expect(through).toEqual(direct);
  });

  test("is let in as the server lets it in: the new and the retained password of an account, and an anonymous account", async () => {
    const proxy = await start();
    for (const who of [
      ["--user=two", "--password=newer-1"],
      ["--user=two", "--password=older-1"],
      ["--user=two", "--password=newer-1"],
      ["--user=whoever", "--password=anybody-1"],
    ]) {
      const { direct, through } = await both([...how, ...who], proxy);
      expect(through).toEqual(direct);
      expect(through).toMatchObject({ code: 0, out: "one\n1\n" });
    }
  });

  test("is refused for an account that requires a client's certificate, which the proxy cannot show", async () => {
    const proxy = await start();
    const run = await runMysql(proxy.port, [...how, "--user=certified", "--password=certified-1", "-e", "SELECT 1"]);
    expect(run.error).toMatch(/^ERROR 1045 \(28000\): Access denied for user 'certified'/);
  });
});

test("an expired password lets no client in that cannot change it, in the server's words", async () => {
  const proxy = await start();
  const said = (port: number): Promise<unknown> =>
    mysql.createConnection({ ...at(port), user: "expired", password: "expired-1" }).then(
      () => "let in",
      ({ errno, message }: { errno: number; message: string }) => ({ errno, message }),
    );
  expect(await said(proxy.port)).toMatchObject({ errno: 1862 });
  expect(await said(proxy.port)).toEqual(await said(servers.old.port));
});

test("an expired password can be changed in the session that it lets in, which then goes on", async () => {
  const proxy = await start();
  const args = ["--user=expired", "--password=expired-1", "--connect-expired-password", "-N", "-e"];
  const blocked = await runMysql(proxy.port, [...args, "SELECT 1"]);
  expect(blocked.error).toMatch(/^ERROR 1820 \(HY000\)/);
  const run = await runMysql(proxy.port, [...args, "ALTER USER USER() IDENTIFIED BY 'fresh-1'; SELECT 1"]);
  expect(run).toMatchObject({ code: 0, out: "1\n" });
  const again = await runMysql(proxy.port, ["--user=expired", "--password=fresh-1", "-e", "SELECT 1"]);
  expect(again).toMatchObject({ code: 0, error: "" });
});

test("a password that is changed while a session lives leaves it where it is, and keeps it from the new home by name", async () => {
  const proxy = await start();
  const client = await proxy.connect({ user: "changing", password: "before-1" });
  await client.query("SELECT COUNT(*) FROM orders");
  for (const [server, verb] of [
    [servers.old, "ALTER"],
    [servers.new, "CREATE"],
  ] as const) {
    await server.root(`${verb} USER changing@'%' IDENTIFIED BY 'after-1'`);
  }
  await client.query("SELECT COUNT(*) FROM orders");
  await proxy.change(({ armed, ...rules }) => ({
    ...rules,
    generation: rules.generation + 1,
    armed: { ...armed, orders: { token: "t", tables: ["shop.orders"], newHome: "new" } },
  }));
  const told = await proxy.told(({ armed }) => armed["orders"]?.token === "t", "armed");
  await expect
    .poll(async () => JSON.stringify((await proxy.document()).armed["orders"]))
    .toContain("Access denied for user 'changing'");
  expect(told.armed["orders"]?.state).not.toBe("ready");
  await client.end();
});

test("a server at its own max_connections says so to the client, as it would without a proxy", async () => {
  const proxy = await start();
  const args = [`--user=${USER}`, `--password=${PASSWORD}`, "-e", "SELECT 1"];
  await servers.old.root("SET GLOBAL max_connections = 1");
  const first = await mysql.createConnection(at(servers.old.port));
  try {
    // One place more is kept for administrators: whoever takes it is refused behind the login, the next before the greeting.
    const afterLogin = await runMysql(servers.old.port, args);
    expect(afterLogin.error).toMatch(/^ERROR 1040 .*Too many connections/);
    expect(await runMysql(proxy.port, args)).toEqual(afterLogin);
    const waits = dial(servers.old.port, "127.0.0.1");
    await once(waits, "data");
    const beforeGreeting = await runMysql(servers.old.port, args);
    expect(beforeGreeting.error).toMatch(/^ERROR 1040 .*Too many connections/);
    expect(await runMysql(proxy.port, args)).toEqual(beforeGreeting);
    waits.destroy();
    expect(ends).toEqual(["backend login", "backend login"]);
  } finally {
    await first.end();
    await expect.poll(() => servers.old.root("SET GLOBAL max_connections = 200").catch(() => "full")).toEqual([]);
  }
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("TLS is agreed on as %s where the client wants it so", async (version) => {
  const proxy = await start();
  const ssl = { rejectUnauthorized: false, minVersion: version, maxVersion: version };
  const client = await proxy.connect({ ssl });
  const { stream } = (client as unknown as { connection: { stream: { getProtocol(): string } } }).connection;
  expect(stream.getProtocol()).toBe(version);
  await client.end();
  const args = [`--user=${USER}`, `--password=${PASSWORD}`, `--tls-version=${version}`, ...TLS, "-e", "SELECT 1"];
  expect(await runMysql(proxy.port, args)).toMatchObject({ code: 0, error: "" });
});

describe("a client that verifies the certificate", () => {
  const run = (port: number, mode: string, ca: string): Promise<ClientRun> =>
    runMysql(port, [
      `--user=${USER}`,
      `--password=${PASSWORD}`,
      `--ssl-mode=${mode}`,
      `--ssl-ca=${ca}`,
      "-Ne",
      "SELECT 1",
    ]);

  test("of the proxy finds what it would find at a server: its authority and its name, or neither", async () => {
    const { server, stranger } = makeCertificates();
    const pair = (cert: string, key: string) => ({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
    const proxy = await start({ tls: pair(server.cert, server.key) });
    for (const mode of ["VERIFY_CA", "VERIFY_IDENTITY"]) {
      expect(await run(proxy.port, mode, server.ca)).toMatchObject({ code: 0, out: "1\n" });
      expect((await run(proxy.port, mode, stranger)).error).toMatch(/^ERROR 2026 .*certificate verify failed/);
    }
    const ca = readFileSync(server.ca, "utf8");
    const client = await proxy.connect({ ssl: { ca, verifyIdentity: true } });
    await client.end();
    await expect(proxy.connect({ ssl: { ca: readFileSync(stranger, "utf8") } })).rejects.toThrow(/certificate/);
    await proxy.close();
    // One of the same authority for another name.
    const other = await start({ tls: pair(server.ca, server.ca.replace(".pem", ".key")) });
    expect(await run(other.port, "VERIFY_CA", server.ca)).toMatchObject({ code: 0 });
    expect((await run(other.port, "VERIFY_IDENTITY", server.ca)).error).toMatch(/^ERROR 2026 /);
    await expect(other.connect({ ssl: { ca, verifyIdentity: true } })).rejects.toThrow(/does not match/);
  });
});

test("an account of several factors is refused by name, where the server would ask for the next one", async () => {
  // Here the second one can never be had, so that the server itself says no; a client may have others.
  await servers.old.root(`INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
    CREATE USER factors@'%' IDENTIFIED BY 'factors-1' AND IDENTIFIED WITH auth_socket`);
  const proxy = await start();
  const { direct, through } = await both(["--user=factors", "--password1=factors-1"], proxy);
  expect(direct.error).toMatch(/^ERROR 1698/);
  expect(through).toEqual(direct);
  await proxy.close();
  await withStandIn(Buffer.from("\x02authentication_webauthn\0challenge"), async (standIn) => {
    await expect(standIn.connect()).rejects.toMatchObject({
      errno: 1251,
      message: expect.stringContaining("this account has several authentication factors"),
    });
  });
});

test("is refused by name where the server asks for a method that shows no password", async () => {
  const asks = buildAuthSwitch({ plugin: "authentication_ldap_sasl_client", nonce: Buffer.alloc(20, 1) });
  await withStandIn(asks, async (standIn) => {
    await expect(standIn.connect()).rejects.toMatchObject({
      errno: 1251,
      message: expect.stringContaining("accounts need caching_sha2_password or sha256_password"),
    });
  });
});

/** A server that greets as the real one, and then asks every account for something else than a password. */
async function withStandIn(asks: Buffer, use: (proxy: Harness) => Promise<void>): Promise<void> {
  const real = dial(servers.old.port, "127.0.0.1");
  const [greeting] = (await once(real, "data")) as [Buffer];
  real.destroy();
  const standIn = createServer((socket) => {
    socket.on("error", () => undefined);
    const { capabilities, ...rest } = parseGreeting(greeting.subarray(4));
    socket.write(frame(buildGreeting({ ...rest, capabilities: (capabilities & ~CAP.SSL) >>> 0 }), 0));
    socket.once("data", () => socket.write(frame(asks, 2)));
  }).listen(0, "127.0.0.1");
  await once(standIn, "listening");
  const { port } = standIn.address() as AddressInfo;
  const old = Object.create(servers.old, { port: { value: port } }) as TestServer;
  harness = await startHarness({ ...servers, old });
  await use(harness);
  standIn.close();
}

const REQUEST = buildTlsRequest(CAP.PROTOCOL_41 | CAP.SSL | CAP.SECURE_CONNECTION, 1 << 24, 45);

test("a second request for TLS, within TLS, ends the connection and reaches no server", async () => {
  const proxy = await start();
  const socket = dial(proxy.port, "127.0.0.1");
  await once(socket, "data");
  socket.write(frame(REQUEST, 1));
  const tls = secure({ socket, rejectUnauthorized: false });
  await once(tls, "secureConnect");
  tls.write(frame(REQUEST, 2));
  expect(await rest(tls)).toContain("Malformed communication packet");
  expect(ends).toEqual(["client protocol"]);
  await (await proxy.connect()).end();
});

test("a TLS session is resumed by a client that comes again with it", async () => {
  const proxy = await start();
  const handshake = async (session?: Buffer): Promise<{ reused: boolean; session: Buffer | undefined }> => {
    const socket = dial(proxy.port, "127.0.0.1");
    await once(socket, "data");
    socket.write(frame(REQUEST, 1));
    const options = { socket, rejectUnauthorized: false, maxVersion: "TLSv1.2" as const };
    const tls = secure(session === undefined ? options : { ...options, session });
    await once(tls, "secureConnect");
    const outcome = { reused: tls.isSessionReused(), session: tls.getSession() };
    tls.destroy();
    return outcome;
  };
  const first = await handshake();
  expect(first.reused).toBe(false);
  expect((await handshake(first.session)).reused).toBe(true);
});

describe("clients that do not log in", () => {
  test("are let go after loginTimeoutMs, with the reason", async () => {
    const proxy = await start({ limits: { loginTimeoutMs: 300 } });
    const said = rest(dial(proxy.port, "127.0.0.1"));
    expect(await said).toContain("Got timeout reading communication packets");
    await expect.poll(() => ends).toEqual(["client timeout"]);
  });

  test("are so many as loginsPendingMax; one more is refused, and sessions go on", async () => {
    const proxy = await start({ limits: { loginsPendingMax: 2, loginTimeoutMs: 1000 } });
    const client = await proxy.connect();
    // Its first command is read once the login is over for the proxy too.
    await client.ping();
    const idle = [dial(proxy.port, "127.0.0.1"), dial(proxy.port, "127.0.0.1")];
    await Promise.all(idle.map((one) => once(one, "data")));
    await expect(proxy.connect()).rejects.toMatchObject({ errno: 1040 });
    await client.query("SELECT 1");
    expect(ends).toEqual(["proxy limit"]);
    await Promise.all(idle.map((one) => rest(one)));
    await (await proxy.connect()).end();
    await client.end();
  });
});

test("a user has sessionsPerUserMax sessions, also by COM_CHANGE_USER; a place is free when one has ended", async () => {
  const proxy = await start({ limits: { sessionsPerUserMax: 2 } });
  const [first] = [await proxy.connect(), await proxy.connect()];
  await expect(proxy.connect()).rejects.toMatchObject({ errno: 1203 });
  const other = await mysql.createConnection({ ...at(proxy.port), user: "blank", password: "" });
  await expect(other.changeUser({ user: USER, password: PASSWORD })).rejects.toMatchObject({ errno: 1203 });
  await first.end();
  await expect.poll(() => ends).toContain("client quit");
  await (await proxy.connect()).end();
  expect(ends.filter((end) => end === "proxy limit")).toHaveLength(2);
});

function at(port: number): mysql.ConnectionOptions {
  return { host: "127.0.0.1", port, user: USER, password: PASSWORD };
}

/** All that still comes, until the other side closes. */
async function rest(socket: Socket): Promise<string> {
  let text = "";
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  await once(socket, "close");
  return text;
}
