import type { Socket } from "node:net";
import { login } from "../../../src/mysql/login.ts";
import { PacketInbox } from "../../../src/mysql/packet-inbox.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP } from "../../../src/wire/capabilities.ts";
import { PacketWriter } from "../../../src/wire/packet-writer.ts";
import { ReplyTracker } from "../../../src/wire/reply-tracker.ts";
import { PASSWORD, USER } from "./proxy-harness.ts";

const CAPABILITIES =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_WITH_DB |
  CAP.CONNECT_ATTRS |
  CAP.TRANSACTIONS |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.DEPRECATE_EOF;

/** Sends commands as bytes and reads replies as packets: for what no library sends. */
export class RawClient {
  /** Of the greeting. */
  readonly threadId: number;
  readonly #link: PacketLink;
  readonly #inbox: PacketInbox;
  #fileSequence = 1;
  /** In force on the connection. */
  readonly capabilities: number;

  private constructor(link: PacketLink, capabilities: number, threadId: number) {
    this.threadId = threadId;
    this.#link = link;
    this.#inbox = new PacketInbox(link);
    this.capabilities = capabilities;
  }

  /** Logs in with `more` capabilities beside those that every client has, and without `less`. */
  static async connect(port: number, more = 0, less = 0): Promise<RawClient> {
    const link = await PacketLink.dial("127.0.0.1", port, AbortSignal.timeout(5000));
    const tls = { mode: "disabled" as const };
    const endpoint = { name: "proxy", host: "127.0.0.1", port, user: USER, password: PASSWORD, tls };
    const wishes = { capabilities: (CAPABILITIES | more) & ~less, database: "shop", attributes: new Map() };
    const { capabilities, greeting } = await login(link, endpoint, wishes);
    return new RawClient(link, capabilities, greeting.threadId);
  }

  /** Sends a command and gives every packet of the reply, as many as the protocol has the server owe. */
  async ask(command: Buffer): Promise<Buffer[]> {
    const tracker = new ReplyTracker(this.capabilities);
    const packets: Buffer[] = [];
    this.send(command);
    tracker.start(command[0] ?? 0);
    while (!tracker.complete) {
      const packet = await this.next();
      packets.push(packet);
      if (tracker.wants(packet.length, packet[0] ?? -1)) tracker.take(packet);
    }
    return packets;
  }

  /** Logs in, and gives the socket itself, paused: for clients that do not read, or not packets. */
  static async socket(port: number, more = 0): Promise<Socket> {
    const client = await RawClient.connect(port, more);
    const { socket } = client.#link.detach();
    // A stream whose listeners were removed decides in the next turn whether it flows, whatever was said before.
    await new Promise((resolve) => setImmediate(resolve));
    socket.pause();
    return socket;
  }

  send(...commands: readonly Buffer[]): void {
    this.#fileSequence = 1;
    for (const command of commands) this.#link.send(command);
  }

  /** Sends packets of a file, or its end (the empty packet), as the answer to a packet of sequence number 1. */
  sendFile(...packets: readonly Buffer[]): void {
    for (const packet of packets) {
      this.#fileSequence = (this.#fileSequence + 1) & 0xff;
      this.#link.send(packet, this.#fileSequence);
    }
  }

  /** As {@link sendFile}, in answer to a packet of this sequence number. */
  sendFileFrom(sequence: number, ...packets: readonly Buffer[]): void {
    this.#fileSequence = sequence;
    this.sendFile(...packets);
  }

  /** Like {@link sendFile}, and waits while the socket has too much to send already. */
  async sendFileSlowly(packet: Buffer): Promise<void> {
    this.#fileSequence = (this.#fileSequence + 1) & 0xff;
    await this.#link.sendSlowly(packet, this.#fileSequence);
  }

  next(): Promise<Buffer> {
    return this.#inbox.next();
  }

  async packets(count: number): Promise<Buffer[]> {
    const packets: Buffer[] = [];
    for (let i = 0; i < count; i++) packets.push(await this.next());
    return packets;
  }

  close(): void {
    this.#link.end("the test is done");
  }
}

export function command(byte: number, body: Buffer | string = ""): Buffer {
  return new PacketWriter().u8(byte).bytes(body).payload();
}

/** A command on a prepared statement. */
export function onStatement(byte: number, id: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  return new PacketWriter().u8(byte).u32(id).bytes(rest).payload();
}
