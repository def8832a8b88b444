import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import type { DisconnectReason } from "../../../src/proxy/disconnect.ts";
import type { ProxyLimits } from "../../../src/proxy/proxy-config.ts";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { type Harness, startHarness } from "./proxy-harness.ts";
import { command, RawClient } from "./raw-client.ts";
import { OK, type Script, type ScriptedServer, startScripted } from "./scripted-server.ts";

let servers: ScriptedServer[] = [];
let harness: Harness;
let clients: RawClient[] = [];
let strangers: Socket[] = [];
let ends: string[] = [];
let logged: string[] = [];
let refused = 0;

afterEach(async () => {
  for (const client of clients) client.close();
  for (const socket of strangers) socket.destroy();
  clients = [];
  strangers = [];
  await harness.close();
  for (const server of servers) await server.close();
  servers = [];
  ends = [];
  logged = [];
  refused = 0;
});

const GOOD: Script = { answer: () => [OK] };

/** What the proxy asks of a server by itself, right behind a login. */
const asksOfServer = (packet: Buffer): boolean => packet.includes("@@global.server_uuid");

const note = ({ source, reason }: LogFields): void => {
  if (source !== undefined) logged.push(`${source} ${reason}`);
};
const log: Logger = { ...silentLogger, debug: note, info: note, child: () => log };

async function start(home: Script, second: Script = GOOD): Promise<void> {
  const counter: typeof noMetrics.counter = (name, labels) => ({
    add: () => {
      if (name === "disconnects_total") ends.push(Object.values(labels).join(" "));
      if (name === "refused_statements_total") refused += 1;
    },
  });
  const [one, other] = [await startScripted(home), await startScripted(second)];
  servers = [one, other];
  harness = await startHarness(
    { old: one.server, new: other.server },
    {
      limits: { connectTimeoutMs: 5000, loginTimeoutMs: 5000, orphanTimeoutMs: 150, commandBytesMax: 1000 },
      metrics: { ...noMetrics, counter },
      log,
    },
  );
}

/** Has the proxy lose patience sooner, once those are in who are to come in. */
function hurry(limits: Partial<ProxyLimits>): void {
  harness.worker.reconfigure({ limits, tls: "generated" });
}

/** Somebody who has connected and been greeted, or turned away, and says nothing. */
async function stranger(): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: harness.port });
  socket.on("error", () => undefined);
  strangers.push(socket);
  await once(socket, "data");
  return socket;
}

async function client(): Promise<RawClient> {
  const one = await RawClient.connect(harness.port, CAP.LOCAL_FILES);
  clients.push(one);
  return one;
}

const FILE_REQUEST = Buffer.concat([Buffer.from([0xfb]), Buffer.from("/etc/passwd")]);
const query = (sql: string): Buffer => command(COM.QUERY, sql);

describe("a server that asks for a file", () => {
  test("is not heard where the client's statement loads none, and is where it does", async () => {
    await start({ answer: (packet) => (asksOfServer(packet) ? [OK] : [FILE_REQUEST]) });
    for (const sql of ["SELECT 1", "LOAD DATA INFILE 'f' INTO TABLE shop.t", "UPDATE t SET v = 1"]) {
      const victim = await client();
      victim.send(query(sql));
      // It hears that its server is lost, and no word of what the server wanted.
      expect(parseErr(await victim.next()).errno, sql).toBe(2013);
    }
    const loader = await client();
    loader.send(query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE shop.t"));
    expect(await loader.next()).toEqual(FILE_REQUEST);
  });

  test("is not heard either where the rest of its request does not come", async () => {
    await start({
      answer: (packet, socket) => {
        if (asksOfServer(packet)) return [OK];
        socket.write(frame(FILE_REQUEST, 1).subarray(0, 9));
        return [];
      },
    });
    const victim = await client();
    victim.send(query("COMMIT"));
    expect(parseErr(await victim.next()).errno).toBe(2013);
  });
});

describe("a home that is reached and then says nothing", () => {
  const silent: readonly (readonly [string, Script])[] = [
    ["to a connection", { ...GOOD, greets: () => false }],
    ["to a login", { ...GOOD, letsIn: () => false }],
    ["to the session's state", { answer: () => [] }],
  ];
  test.each(silent)("%s fails the statement in time, and the session goes on", async (_when, second) => {
    await start(GOOD, second);
    await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "m" }));
    await harness.told((told) => told.generation === 2, "generation 2");
    const session = await client();
    session.send(query("SET sql_mode = 'ANSI_QUOTES'"));
    await session.next();
    hurry({ connectTimeoutMs: 300, loginTimeoutMs: 300 });
    session.send(query("UPDATE shop.orders SET note = 'x'"));
    expect(parseErr(await session.next()).errno).toBe(2003);
    session.send(Buffer.from([COM.PING]));
    expect(await session.next()).toEqual(OK);
    await expect.poll(() => servers[1]?.sockets.size).toBe(0);
  });
});

describe("a server that never answers", () => {
  test("keeps nothing of a client that has gone, whatever it was asked", async () => {
    await start({ answer: (packet) => (packet.includes("HANG") || packet.includes("KILL") ? [] : [OK]) });
    for (const sql of ["SELECT 'HANG'", "SET @a = 'HANG'", "DO 'HANG'"]) (await client()).send(query(sql));
    hurry({ loginTimeoutMs: 300 });
    await sleep(50);
    for (const one of clients) one.close();
    await expect.poll(() => ends.length, { timeout: 4000 }).toBe(3);
    await expect.poll(() => servers[0]?.sockets.size).toBe(0);
  });

  /**
   * 1. The server takes a file slowly, so the proxy reads no more of it from the client than is taken.
   * 2. The file has come to its end, and the server does not say what became of it.
   * 3. The client leaves. Nobody reads from it at that moment, and it must be noticed.
   */
  test("to a file has the client that leaves noticed", async () => {
    await start({
      answer: (packet, socket) => {
        if (asksOfServer(packet)) return [OK];
        if (packet[0] !== COM.QUERY) return [];
        socket.pause();
        setTimeout(() => socket.resume(), 100);
        return [FILE_REQUEST];
      },
    });
    const loader = await client();
    loader.send(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE shop.t"));
    await loader.next();
    for (let at = 0; at < 60; at++) loader.sendFile(Buffer.alloc(100_000, 0x61));
    loader.sendFile(Buffer.alloc(0));
    await sleep(250);
    loader.close();
    await expect.poll(() => ends, { timeout: 4000 }).toEqual(["client gone"]);
  });
});

describe("a server that is killed in the midst of a client's login", () => {
  test("is what the client is told of, and not that it had sent a packet that is none", async () => {
    await start({
      answer: (packet, socket) => {
        if (asksOfServer(packet)) socket.destroy();
        return [];
      },
    });
    const { errno, message } = parseErr(await (await client()).next());
    expect([errno, message]).toEqual([
      2003,
      expect.stringContaining('can\'t connect to the MySQL server of backend "old"'),
    ]);
    await expect.poll(() => ends).toEqual(["backend unreachable"]);
  });
});

describe("a client that does not read what it is told", () => {
  test("has no more done than it reads, also of commands that no server is asked about", async () => {
    const COMMANDS = 100_000;
    await start(GOOD);
    const greedy = await RawClient.socket(harness.port);
    greedy.write(Buffer.concat(Array.from({ length: COMMANDS }, () => frame(Buffer.from([COM.SHUTDOWN]), 0))));
    let before = -1;
    while (before !== refused) {
      before = refused;
      await sleep(100);
    }
    expect(refused).toBeLessThan(COMMANDS * 0.8);
    greedy.resume();
    await expect.poll(() => refused, { timeout: 10_000 }).toBe(COMMANDS);
    greedy.destroy();
  });
});

describe("every end of a connection", () => {
  /**
   * How a client, or the server, brings each of them about; total over the reasons. The last ones end the proxy. A refusal
   * in the midst of a command has its own test, with commands of more than 16 MiB.
   */
  const ENDS: Readonly<
    Record<Exclude<DisconnectReason, "refused">, readonly [source: string, cause: () => Promise<void>]>
  > = {
    quit: ["client", async () => (await client()).send(Buffer.from([COM.QUIT]))],
    gone: ["client", async () => (await client()).close()],
    login: ["client", async () => void (await stranger()).destroy()],
    protocol: ["client", async () => void (await stranger()).write(frame(Buffer.from("what is this"), 1))],
    limit: ["client", async () => (await client()).send(Buffer.alloc(2000, COM.QUERY))],
    timeout: [
      "client",
      async () => {
        hurry({ loginTimeoutMs: 300 });
        await stranger();
        hurry({ loginTimeoutMs: 5000 });
      },
    ],
    killed: [
      "proxy",
      async () => {
        const [victim, killer] = [await client(), await client()];
        killer.send(query(`KILL ${victim.threadId}`));
      },
    ],
    lost: [
      "backend",
      async () => {
        const before = new Set(servers[0]?.sockets);
        const one = await client();
        one.send(Buffer.from([COM.PING]));
        await one.next();
        for (const socket of servers[0]?.sockets ?? []) if (!before.has(socket)) socket.destroy();
      },
    ],
    internal: [
      "proxy",
      async () => {
        await harness.change((rules) => ({ ...rules, generation: rules.generation + 1, default: "nowhere" }));
        await harness.told((told) => told.generation === 2, "generation 2");
        await stranger();
      },
    ],
    unreachable: [
      "backend",
      async () => {
        await harness.change((rules) => ({ ...rules, generation: rules.generation + 1, default: "new" }));
        await harness.told((told) => told.generation === 3, "generation 3");
        await servers[1]?.close();
        servers.splice(1, 1);
        await stranger();
      },
    ],
    idle: ["proxy", async () => hurry({ idleTimeoutMs: 150 })],
    shutdown: ["proxy", async () => void harness.worker.close({ drainMs: 0 })],
  };

  test("has one source and one reason, in the metric and in the log", async () => {
    await start(GOOD);
    for (const [reason, [source, cause]] of Object.entries(ENDS)) {
      if (reason === "shutdown") {
        hurry({ idleTimeoutMs: 0 });
        await harness.change((rules) => ({ ...rules, generation: rules.generation + 1, default: "old" }));
        await harness.told((told) => told.generation === 4, "generation 4");
        await client();
      }
      const from = ends.length;
      await cause();
      await expect.poll(() => ends.slice(from), { timeout: 3000, message: reason }).toContain(`${source} ${reason}`);
    }
    expect(logged.toSorted()).toEqual(ends.toSorted());
  });
});
