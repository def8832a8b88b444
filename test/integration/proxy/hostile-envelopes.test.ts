import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { deflateSync, zstdCompressSync } from "node:zlib";
import type mysql from "mysql2/promise";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { login } from "../../../src/mysql/login.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import type { CompressionAlgorithm } from "../../../src/wire/compression.ts";
import { EnvelopeReader } from "../../../src/wire/envelope-reader.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { runProxyCampaign } from "../../fuzz/proxy/campaign.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { type Harness, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let bystander: mysql.Connection;

const MIB = 1024 * 1024;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  harness = await startHarness(servers, { backendCompression: { algorithms: ["zstd"] } });
  bystander = await harness.connect({ compress: true });
});
afterAll(async () => {
  bystander?.destroy();
  await harness?.close();
  await stopServers(servers);
});
beforeEach(async () => {
  await bystander.query("SELECT 1");
});

/** Logs in with the flags of a compressing client and gives the socket, on which nothing is compressed by itself. */
async function compressing(algorithm: CompressionAlgorithm): Promise<Socket> {
  const link = await PacketLink.dial("127.0.0.1", harness.port, AbortSignal.timeout(5000));
  const tls = { mode: "disabled" as const };
  const endpoint = { name: "proxy", host: "127.0.0.1", port: harness.port, user: USER, password: PASSWORD, tls };
  const flag = algorithm === "zlib" ? CAP.COMPRESS : CAP.ZSTD;
  const capabilities =
    CAP.PROTOCOL_41 | CAP.SECURE_CONNECTION | CAP.PLUGIN_AUTH | CAP.PLUGIN_AUTH_LENENC | CAP.DEPRECATE_EOF | flag;
  await login(link, endpoint, { capabilities, database: undefined, attributes: new Map() });
  const { socket } = link.detach();
  // A stream whose listeners were removed decides in the next turn whether it flows, whatever was said before.
  await nextTurn();
  return socket;
}

function envelope(contents: Buffer, header: { sequence?: number; length?: number; unpacked?: number } = {}): Buffer {
  const head = Buffer.alloc(7);
  head.writeUIntLE(header.length ?? contents.length, 0, 3);
  head[3] = header.sequence ?? 0;
  head.writeUIntLE(header.unpacked ?? 0, 4, 3);
  return Buffer.concat([head, contents]);
}

const PING = frame(Buffer.from([COM.PING]), 0);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What is left afterwards is held by somebody. */
async function collectGarbage(): Promise<void> {
  // Buffers are freed by another thread, which the next collection waits for.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Everything that the proxy says until it closes, and the numbers of its envelopes. */
async function lastWords(
  socket: Socket,
  algorithm: CompressionAlgorithm,
): Promise<{ text: Buffer; numbers: number[] }> {
  const wire: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => wire.push(chunk));
  socket.resume();
  await once(socket, "close");
  const parts: Buffer[] = [];
  const numbers: number[] = [];
  new EnvelopeReader(algorithm, 16 * MIB).cut(Buffer.concat(wire), ({ sequence, contents }) => {
    numbers.push(sequence);
    parts.push(contents);
  });
  return { text: Buffer.concat(parts), numbers };
}

describe.each(["zlib", "zstd"] as const)("a client that has agreed on %s", (algorithm) => {
  const compress = algorithm === "zlib" ? deflateSync : zstdCompressSync;
  const bomb = compress(Buffer.alloc(15 * MIB));
  const commands = compress(Buffer.concat(Array.from({ length: 10 }, () => PING)));

  test.each([
    ["sends what is no compressed data", envelope(Buffer.from("nonsense nonsense"), { unpacked: 900 })],
    ["announces less than it packs: a bomb", envelope(bomb, { unpacked: 100 })],
    ["announces more than it packs", envelope(commands, { unpacked: 5000 })],
    ["sends data that end early", envelope(commands.subarray(0, 12), { unpacked: 50 })],
    ["begins a command with another number than 0", envelope(PING, { sequence: 7 })],
    [
      "leaves out a number within a command",
      Buffer.concat([envelope(PING.subarray(0, 3)), envelope(PING.subarray(3), { sequence: 2 })]),
    ],
    ["repeats a number within a command", Buffer.concat([envelope(PING.subarray(0, 3)), envelope(PING.subarray(3))])],
    ["has no envelopes at all", Buffer.from("GET / HTTP/1.1\r\nHost: example\r\n\r\n".repeat(9))],
  ])("and %s is told so and disconnected", async (_, bytes) => {
    const socket = await compressing(algorithm);
    socket.write(bytes);
    // Plain text reads as the beginning of an envelope that is long; the rest of it never comes.
    if (bytes.subarray(0, 3).toString() === "GET") socket.end();
    const { text } = await lastWords(socket, algorithm);
    if (text.length > 0) expect(parseErr(text.subarray(4))).toMatchObject({ errno: 1835 });
    else expect(bytes.subarray(0, 3).toString()).toBe("GET");
    expect((await bystander.query<RowDataPacket[]>("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
  });

  test("and sends good commands before a bad envelope gets their answers first, numbered behind each command", async () => {
    const socket = await compressing(algorithm);
    socket.write(Buffer.concat([envelope(PING), envelope(PING), envelope(Buffer.from("bad"), { unpacked: 99 })]));
    const { text, numbers } = await lastWords(socket, algorithm);
    expect(numbers).toEqual([1, 1, 1]);
    const answers: number[] = [];
    for (let at = 0; at < text.length; at += 4 + text.readUIntLE(at, 3)) answers.push(text[at + 4] ?? -1);
    expect(answers).toEqual([0x00, 0x00, 0xff]);
  });

  test("and leaves within an envelope costs nobody anything", async () => {
    const socket = await compressing(algorithm);
    socket.write(envelope(PING, { length: 5000 }));
    socket.end();
    await lastWords(socket, algorithm);
    expect((await bystander.query<RowDataPacket[]>("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
  });

  test("and sends envelopes that unpack a thousandfold is refused at the size of a command, with flat memory", async () => {
    const socket = await compressing(algorithm);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const watch = setInterval(() => {
      collect();
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }, 100);
    // One command of 64 MiB and more: continued packets of zeros, of which each envelope holds nearly one, and its end.
    const packet = Buffer.alloc(4 + 0xffffff, 0);
    packet.writeUIntLE(0xffffff, 0, 3);
    const stream = Buffer.concat([...Array.from({ length: 6 }, () => packet), Buffer.alloc(4)]);
    const wire: Buffer[] = [];
    for (let at = 0, number = 0; at < stream.length; at += 15 * MIB, number++) {
      const contents = stream.subarray(at, at + 15 * MIB);
      wire.push(envelope(compress(contents), { sequence: number, unpacked: contents.length }));
    }
    const own = process.memoryUsage().arrayBuffers - before;
    peak = 0;
    for (const one of wire) socket.write(one);
    const { text } = await lastWords(socket, algorithm);
    clearInterval(watch);
    expect(parseErr(text.subarray(4))).toMatchObject({ errno: 1153 });
    expect(peak - own).toBeLessThan(3 * 64 * MIB);
    expect((await bystander.query<RowDataPacket[]>("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
  });

  test("and does not read its rows keeps the server waiting, not the proxy's memory growing", async () => {
    const socket = await compressing(algorithm);
    socket.pause();
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const sql = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
      SELECT RANDOM_BYTES(1024), RANDOM_BYTES(1024) FROM n a JOIN (SELECT i FROM n LIMIT 100) b`;
    socket.write(envelope(frame(Buffer.concat([Buffer.from([COM.QUERY]), Buffer.from(sql)]), 0)));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(socket.isPaused()).toBe(true);
    await collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB);
    const busy = await servers.old.root(
      "SELECT 1 FROM performance_schema.processlist WHERE INFO LIKE 'WITH RECURSIVE%'",
    );
    expect(busy).toHaveLength(1);
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > 8 * MIB) socket.destroy();
    });
    socket.resume();
    await once(socket, "close");
    expect((await bystander.query<RowDataPacket[]>("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
  });
});

describe("hostile clients and servers", () => {
  test("of a fixed seed break no proxy, leave nothing behind, and are not noticed by anybody else", async () => {
    const { failure, executions, tally } = await runProxyCampaign(servers.old, {
      seed: 1,
      executionsMax: 30,
      roundOf: 30,
      hostileServers: 1,
    });
    expect(failure).toBeUndefined();
    expect(executions).toBe(30);
    expect(tally.answers).toBeGreaterThan(20);
  });
});
