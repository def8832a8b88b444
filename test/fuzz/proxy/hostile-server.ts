import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { buildAuthMoreData, buildAuthSwitch } from "../../../src/wire/auth-packets.ts";
import { CAP, COM, hasFlag, STATUS } from "../../../src/wire/capabilities.ts";
import { buildGreeting } from "../../../src/wire/greeting.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { mutate } from "../mutate.ts";
import { Random } from "../random.ts";
import { deliver } from "./delivery.ts";
import { err, lieAbout, ok, replyTo } from "./server-replies.ts";

const CAPABILITIES =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_ATTRS |
  CAP.CONNECT_WITH_DB |
  CAP.TRANSACTIONS |
  CAP.LOCAL_FILES |
  CAP.MULTI_STATEMENTS |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.SESSION_TRACK |
  CAP.DEPRECATE_EOF;

/** What a server does before it knows who comes. */
type Reception = "greets" | "offers" | "silent" | "closes" | "mutated" | "cut" | "error" | "talks";
const RECEPTIONS: readonly Reception[] = [
  ...(["greets", "greets", "greets", "greets", "greets", "greets", "greets", "greets"] as const),
  ...(["offers", "silent", "closes", "mutated", "mutated", "cut", "error", "talks"] as const),
];

/** What it makes of a login. */
type Doorman = "lets in" | "refuses" | "switches" | "asks for more" | "garbage" | "silent" | "closes" | "mutated";
const DOORMEN: readonly Doorman[] = [
  ...(["lets in", "lets in", "lets in", "lets in", "lets in", "lets in", "lets in", "lets in"] as const),
  ...(["refuses", "switches", "asks for more", "garbage", "silent", "closes", "mutated"] as const),
];

/** A server of MySQL's protocol that means ill. What it does in a case follows from the case's own numbers. */
export class HostileServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #seed = 0;
  #connections = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async listen(): Promise<HostileServer> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HostileServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on it behaves as `seed` says, and the connections of before are left. */
  begin(seed: number): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#seed = seed;
    this.#connections = 0;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    const random = Random.ofExecution(this.#seed, this.#connections++);
    // What it does when nobody listens any more is of no interest.
    void new HostileConnection(socket, random).run().catch(() => undefined);
  }
}

class HostileConnection {
  readonly #socket: Socket;
  readonly #random: Random;
  readonly #packets: AsyncGenerator<Buffer>;
  readonly #splitter = new PacketSplitter(1 << 24);
  /** From this command on it lies; before, it is a good server. */
  readonly #goodCommands: number;
  #deprecateEof = false;

  constructor(socket: Socket, random: Random) {
    this.#socket = socket;
    this.#random = random;
    this.#goodCommands = random.below(6);
    this.#packets = this.#read();
  }

  async run(): Promise<void> {
    if (!(await this.#receive())) return;
    const response = await this.#next();
    if (response === undefined) return;
    this.#deprecateEof = hasFlag(response.readUInt32LE(0), CAP.DEPRECATE_EOF);
    if (!(await this.#admit())) return;
    for (let count = 0; ; count++) {
      const command = await this.#next();
      if (command === undefined || command[0] === COM.QUIT) {
        this.#socket.end();
        return;
      }
      if (!(await this.#answer(command, count))) return;
    }
  }

  /** Whether there is a login to come. */
  async #receive(): Promise<boolean> {
    const reception = this.#random.pick(RECEPTIONS) ?? "greets";
    // TLS and compression are then agreed on, and what follows is neither.
    const more = reception === "offers" ? (this.#random.pick([CAP.SSL, CAP.COMPRESS, CAP.ZSTD]) ?? 0) : 0;
    const greeting = buildGreeting({
      ...{ serverVersion: "9.7.4", threadId: 1 + this.#random.below(1000), nonce: Buffer.alloc(20, 0x41) },
      ...{
        capabilities: CAPABILITIES | more,
        collation: 45,
        status: STATUS.AUTOCOMMIT,
        authPlugin: "caching_sha2_password",
      },
    });
    const bytes = frame(greeting, 0);
    switch (reception) {
      case "greets":
      case "offers":
        await this.#send(bytes);
        return true;
      case "mutated":
        await this.#send(mutate(this.#random, { corpus: [bytes], dictionary: [] }));
        return true;
      case "cut":
        await this.#send(bytes.subarray(0, this.#random.below(bytes.length)));
        if (this.#random.below(2) === 0) this.#socket.destroy();
        return false;
      case "error":
        await this.#send(frame(Buffer.concat([Buffer.from([0xff, 0x10, 0x04]), Buffer.from("Too many")]), 0));
        this.#socket.end();
        return false;
      case "talks":
        await this.#send(bytes);
        await this.#flood(8 << 20);
        return false;
      case "closes":
        this.#socket.destroy();
        return false;
      case "silent":
        return false;
    }
  }

  /** Whether there are commands to come. */
  async #admit(): Promise<boolean> {
    const nonce = Buffer.alloc(20, 0x42);
    switch (this.#random.pick(DOORMEN) ?? "lets in") {
      case "lets in":
        await this.#send(frame(ok(), 2));
        return true;
      case "refuses":
        await this.#send(frame(err(1045), 2));
        this.#socket.end();
        return false;
      case "switches":
        for (let at = 0; at < 1 + this.#random.below(50); at++) {
          const plugin = this.#random.pick(["caching_sha2_password", "mysql_native_password", "sha256_password", "x"]);
          await this.#send(frame(buildAuthSwitch({ plugin: plugin ?? "", nonce }), 2 + 2 * at));
          if ((await this.#next()) === undefined) return false;
        }
        await this.#send(frame(ok(), 4));
        return true;
      case "asks for more":
        for (let at = 0; at < 1 + this.#random.below(50); at++) {
          const more = this.#random.pick([Buffer.from([3]), Buffer.from([4]), Buffer.from("no key"), Buffer.alloc(0)]);
          await this.#send(frame(buildAuthMoreData(more ?? Buffer.alloc(0)), 2 + 2 * at));
          if (this.#random.below(2) === 0) await sleep(5);
        }
        await this.#send(frame(ok(), 4));
        return true;
      case "garbage":
        await this.#send(frame(Buffer.alloc(1 + this.#random.below(300), this.#random.below(256)), 2));
        return true;
      case "mutated":
        await this.#send(mutate(this.#random, { corpus: [frame(ok(), 2)], dictionary: [] }));
        return true;
      case "closes":
        this.#socket.destroy();
        return false;
      case "silent":
        return false;
    }
  }

  async #answer(command: Buffer, count: number): Promise<boolean> {
    const good = replyTo(command, this.#deprecateEof);
    if (count < this.#goodCommands) {
      await this.#send(numbered(good));
      return true;
    }
    const way = this.#random.below(12);
    if (way === 0) return false;
    if (way === 1) {
      const bytes = numbered(good);
      await this.#send(bytes.subarray(0, this.#random.below(bytes.length + 1)));
      this.#socket.destroy();
      return false;
    }
    const packets = way < 8 ? lieAbout(good, this.#random) : good;
    const bytes = numbered(packets, this.#random.below(6) === 0 ? this.#random.below(256) : 1);
    const said = way >= 8 ? mutate(this.#random, { corpus: [bytes], dictionary: [] }) : bytes;
    await this.#send(said);
    return true;
  }

  async #flood(bytesMax: number): Promise<void> {
    const piece = frame(Buffer.alloc(60_000, 0x01), 2);
    for (let sent = 0; sent < bytesMax && !this.#socket.destroyed; sent += piece.length) {
      if (!this.#socket.write(piece)) await Promise.race([once(this.#socket, "drain"), once(this.#socket, "close")]);
    }
  }

  async #send(bytes: Buffer): Promise<void> {
    await deliver(this.#socket, bytes, this.#random);
  }

  async #next(): Promise<Buffer | undefined> {
    const { value, done } = await this.#packets.next();
    return done === true ? undefined : (value as Buffer);
  }

  async *#read(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#socket) {
      this.#splitter.feed(chunk as Buffer);
      for (let packet = this.#splitter.next(); packet !== undefined; packet = this.#splitter.next()) yield packet;
    }
  }
}

function numbered(packets: readonly Buffer[], first = 1): Buffer {
  return Buffer.concat(packets.map((packet, at) => frame(packet, (first + at) & 0xff)));
}
