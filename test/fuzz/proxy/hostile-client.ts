import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { login } from "../../../src/mysql/login.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { EnvelopeWriter } from "../../../src/wire/envelope-writer.ts";
import { buildHandshakeResponse, buildTlsRequest } from "../../../src/wire/handshake-response.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { type Material, mutate } from "../mutate.ts";
import type { Random } from "../random.ts";
import { ACCOUNT } from "./account.ts";
import { BASE, commandCorpus, killCommand, query, SOME } from "./client-commands.ts";
import { connectTo, deliver, leave, quiet } from "./delivery.ts";

const CORPUS = commandCorpus();
const DICTIONARY = [
  ...["fuzz", "hostile", "caching_sha2_password", "mysql_native_password", "LOCAL", "/*!", "PROXY "].map((text) =>
    Buffer.from(text),
  ),
  Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xff, 0xff, 0xff, 0x00]),
  Buffer.from([0x00, 0x00, 0x00, 0x00]),
];
const COMMANDS: Material = { corpus: CORPUS, dictionary: DICTIONARY };
const PROXY_V2 = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const BURST = 3000;
const CASE_MS_MAX = 1200;

/** Where hostile clients go. */
export interface ClientPorts {
  readonly port: number;
  readonly balancedPort: number;
}

type Attack = (ports: ClientPorts, random: Random) => Promise<Socket>;

/** One hostile client from its connecting until it has left. All that it does follows from `random`. */
export async function runHostileClient(ports: ClientPorts, random: Random): Promise<void> {
  const attack = random.pick(ATTACKS) ?? beforeLogin;
  let socket: Socket | undefined;
  try {
    socket = await attack(ports, random);
  } catch {
    // It was turned away, which is what a login that is no good deserves.
  }
  if (socket === undefined) return;
  leave(socket, random);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => socket.destroy(), 200);
    socket.once("close", () => resolve());
    if (socket.destroyed) resolve();
    void timer.unref();
  });
}

/** A conversation up to the password, changed, with or without a header of a load balancer ahead of it. */
async function beforeLogin({ port, balancedPort }: ClientPorts, random: Random): Promise<Socket> {
  const balanced = random.below(4) === 0;
  const socket = await connectTo(balanced ? balancedPort : port);
  socket.on("data", () => undefined);
  if (balanced) await deliver(socket, changed(proxyHeader(random), random), random);
  if (random.below(2) === 0) await quiet(socket, 10, 100);
  const capabilities = (BASE | pickFlags(random) | (random.below(3) === 0 ? CAP.SSL : 0)) >>> 0;
  const response = buildHandshakeResponse({
    capabilities: (capabilities | CAP.CONNECT_WITH_DB) & ~CAP.SSL,
    maxPacketBytes: 1 << 24,
    collation: 45,
    user: Buffer.from(random.pick([ACCOUNT.user, "nobody", "", "é".repeat(200)]) ?? ""),
    authResponse: Buffer.alloc(random.pick([0, 1, 20, 32, 250]) ?? 0, 3),
    database: Buffer.from("fuzz"),
    authPlugin: random.pick(["caching_sha2_password", "mysql_native_password", "x".repeat(300)]) ?? "",
    attributes: new Map(Array.from({ length: random.below(40) }, (_, at) => [`a${at}`, "v".repeat(random.below(99))])),
  });
  const packets = [
    ...(random.below(3) === 0 ? [buildTlsRequest(capabilities, 1 << 24, 45)] : []),
    response,
    ...Array.from({ length: random.below(4) }, () => Buffer.alloc(random.pick([0, 1, 2, 32, 256]) ?? 0, 2)),
    ...Array.from({ length: random.below(3) }, () => random.pick(CORPUS) ?? Buffer.alloc(0)),
  ];
  let sequence = 1;
  for (const packet of packets) {
    await deliver(socket, framed(changed(packet, random), sequence, random), random);
    sequence += 1;
    if (random.below(3) === 0) await quiet(socket, 5, 50);
  }
  await quiet(socket, 30, 400);
  return socket;
}

/** TLS as it should be, and inside of it what should not: a second request for TLS, a login that is none, noise. */
async function insideTls({ port }: ClientPorts, random: Random): Promise<Socket> {
  const plain = await connectTo(port);
  await quiet(plain, 10, 200);
  const request = frame(buildTlsRequest(BASE | CAP.SSL, 1 << 24, 45), 1);
  plain.write(random.below(5) === 0 ? Buffer.concat([request, Buffer.alloc(random.below(600), 0x16)]) : request);
  if (random.below(5) === 0) return plain;
  const secure = connectTls({ socket: plain, rejectUnauthorized: false });
  secure.on("error", () => undefined);
  secure.on("data", () => undefined);
  const hello = new Promise((resolve) => secure.once("secureConnect", resolve).once("close", resolve));
  if (random.below(4) !== 0) await hello;
  for (let at = 0; at < 1 + random.below(4); at++) {
    const packet = random.pick([buildTlsRequest(BASE | CAP.SSL, 1 << 24, 45), random.pick(CORPUS) ?? Buffer.alloc(1)]);
    await deliver(secure, framed(changed(packet ?? Buffer.alloc(1), random), 2 + at, random), random);
  }
  await quiet(secure, 30, 400);
  return random.below(2) === 0 ? plain : secure;
}

/** Somebody who says nothing, or the first bytes of something, and stays for a while. */
async function lingering({ port, balancedPort }: ClientPorts, random: Random): Promise<Socket> {
  const socket = await connectTo(random.below(2) === 0 ? port : balancedPort);
  if (random.below(2) === 0) socket.on("data", () => undefined);
  const bytes = random.pick([
    Buffer.alloc(0),
    Buffer.from("PROXY "),
    PROXY_V2,
    Buffer.from([0xff, 0xff, 0xff, 1, 0x85]),
  ]);
  if (bytes !== undefined && bytes.length > 0) socket.write(bytes);
  await new Promise((resolve) => setTimeout(resolve, random.below(2000)));
  return socket;
}

/** Commands behind a good login: some changed, cut, numbered wrong, pipelined, and read or not. */
async function commands({ port }: ClientPorts, random: Random): Promise<Socket> {
  const socket = await loggedIn(port, BASE | pickFlags(random));
  if (random.below(4) !== 0) socket.on("data", () => undefined);
  const count = 1 + random.below(12);
  for (let at = 0; at < count && !socket.destroyed; at++) {
    const payload = random.below(8) === 0 ? killCommand(random) : (random.pick(CORPUS) ?? Buffer.alloc(0));
    const said = random.below(3) === 0 ? mutate(random, { ...COMMANDS, corpus: [payload] }) : payload;
    await deliver(socket, framed(said, 0, random), random);
    if (random.below(2) === 0) await quiet(socket, 10, 300);
  }
  await quiet(socket, 40, CASE_MS_MAX);
  return socket;
}

/** The same small command, very often, and the answers are never read: what is owed must not be kept for it. */
async function burst({ port }: ClientPorts, random: Random): Promise<Socket> {
  const socket = await loggedIn(port, BASE);
  socket.pause();
  const payload =
    random.pick([
      Buffer.from([COM.PING]),
      Buffer.from([COM.SHUTDOWN]),
      query("SELECT REPEAT('x', 5000)"),
      query("COMMIT"),
      query("BEGIN"),
      Buffer.concat([Buffer.from([COM.STMT_PREPARE]), Buffer.from("SELECT ?")]),
      Buffer.from([COM.RESET_CONNECTION]),
      Buffer.from([COM.STMT_EXECUTE, 9, 9, 9, 9, 0, 1, 0, 0, 0]),
    ]) ?? Buffer.alloc(1);
  const bytes = frame(payload, 0);
  const all = Buffer.concat(Array.from({ length: BURST }, () => bytes));
  socket.write(all);
  await new Promise((resolve) => setTimeout(resolve, 300 + random.below(300)));
  if (random.below(2) === 0) {
    socket.on("data", () => undefined);
    await quiet(socket, 50, CASE_MS_MAX);
  }
  return socket;
}

/** One identity after the other on the same connection. */
async function changeUsers({ port }: ClientPorts, random: Random): Promise<Socket> {
  const socket = await loggedIn(port, BASE | CAP.CONNECT_WITH_DB);
  socket.on("data", () => undefined);
  const change = CORPUS.find(([command]) => command === COM.CHANGE_USER) ?? Buffer.alloc(1);
  for (let at = 0; at < 1 + random.below(20) && !socket.destroyed; at++) {
    await deliver(socket, framed(changed(change, random), 0, random), random);
    if (random.below(2) === 0) await deliver(socket, frame(Buffer.alloc(random.pick([1, 32, 256]) ?? 1, 4), 3), random);
    if (random.below(2) === 0) await quiet(socket, 5, 60);
  }
  await quiet(socket, 40, CASE_MS_MAX);
  return socket;
}

/** A client that compresses, and lies about it. */
async function envelopes({ port }: ClientPorts, random: Random): Promise<Socket> {
  const algorithm = random.below(2) === 0 ? "zlib" : "zstd";
  const socket = await loggedIn(port, BASE | (algorithm === "zlib" ? CAP.COMPRESS : CAP.ZSTD));
  if (random.below(4) !== 0) socket.on("data", () => undefined);
  const writer = new EnvelopeWriter(algorithm);
  for (let at = 0; at < 1 + random.below(6) && !socket.destroyed; at++) {
    const packet = framed(random.pick(CORPUS) ?? Buffer.alloc(0), 0, random);
    await deliver(socket, changed(writer.write(packet), random), random);
    if (random.below(2) === 0) await quiet(socket, 10, 200);
  }
  await quiet(socket, 40, CASE_MS_MAX);
  return socket;
}

/** A file that a server has asked for, told in pieces that do not fit, and other commands in the middle of it. */
async function file({ port }: ClientPorts, random: Random): Promise<Socket> {
  const socket = await loggedIn(port, BASE | CAP.LOCAL_FILES | CAP.DEPRECATE_EOF);
  socket.on("data", () => undefined);
  await deliver(socket, frame(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE fuzz.t (v)"), 0), random);
  if (random.below(3) !== 0) await quiet(socket, 10, 200);
  for (let at = 0; at < random.below(8); at++) {
    const piece = Buffer.alloc(random.pick([1, 100, 70_000, 500_000]) ?? 1, 0x0a);
    await deliver(socket, framed(piece, 2 + at, random), random);
  }
  if (random.below(2) === 0) await deliver(socket, frame(Buffer.alloc(0), random.below(256)), random);
  await quiet(socket, 40, CASE_MS_MAX);
  return socket;
}

const ATTACKS: readonly Attack[] = [
  ...[beforeLogin, insideTls, lingering, changeUsers, envelopes, file, burst],
  ...[commands, commands, commands],
];

/** A good login, and the bare socket behind it; nothing is compressed or framed for its owner. */
export async function loggedIn(port: number, capabilities: number): Promise<Socket> {
  const link = await PacketLink.dial("127.0.0.1", port, AbortSignal.timeout(5000));
  const tls = { mode: "disabled" as const };
  const endpoint = { name: "proxy", host: "127.0.0.1", port, ...ACCOUNT, tls };
  const tooLate = setTimeout(() => link.end("the login takes too long"), 8000);
  try {
    await login(link, endpoint, { capabilities, database: "fuzz", attributes: new Map() });
  } catch (error) {
    link.end("the login has failed");
    throw error;
  } finally {
    clearTimeout(tooLate);
  }
  const { socket } = link.detach();
  socket.on("error", () => undefined);
  // A stream whose listeners were removed decides in the next turn whether it flows, whatever was said before.
  await nextTurn();
  return socket;
}

function pickFlags(random: Random): number {
  return SOME.reduce((flags, flag) => (random.below(2) === 0 ? flags | flag : flags), 0);
}

function changed(bytes: Buffer, random: Random): Buffer {
  return random.below(2) === 0 ? bytes : mutate(random, { corpus: [bytes], dictionary: DICTIONARY });
}

/** A packet of the wire, whose header may lie about length and number. */
function framed(payload: Buffer, sequence: number, random: Random): Buffer {
  const bytes = frame(payload, random.below(10) === 0 ? random.below(256) : sequence);
  if (random.below(12) !== 0) return bytes;
  const length = random.pick([0, 1, payload.length + 1, payload.length - 1, 0xffffff, random.below(0x1000000)]) ?? 0;
  bytes.writeUIntLE(Math.max(0, length), 0, 3);
  return bytes;
}

function proxyHeader(random: Random): Buffer {
  if (random.below(2) === 0) return Buffer.from("PROXY TCP4 10.1.2.3 10.1.2.4 40000 3306\r\n");
  return Buffer.concat([PROXY_V2, Buffer.from([0x21, 0x11, 0, 12, 10, 1, 2, 3, 10, 1, 2, 4, 0x9c, 0x40, 0x0c, 0xea])]);
}
