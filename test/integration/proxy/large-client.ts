import { once } from "node:events";
import type { Socket } from "node:net";
import { login } from "../../../src/mysql/login.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP, PACKET_PAYLOAD_MAX } from "../../../src/wire/capabilities.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { PASSWORD, USER } from "./proxy-harness.ts";

const CAPABILITIES =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_WITH_DB |
  CAP.TRANSACTIONS |
  CAP.DEPRECATE_EOF;

/** A client that sends a command packet by packet, as slowly as it likes, and keeps none of it. */
export class LargeClient {
  readonly socket: Socket;
  readonly #splitter = new PacketSplitter(1024 * 1024);
  readonly #packets: { readonly payload: Buffer; readonly sequence: number }[] = [];
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.ended = true;
    });
    socket.on("data", (chunk) => {
      this.#splitter.push(chunk, (payload, sequence) =>
        this.#packets.push({ payload: Buffer.from(payload), sequence }),
      );
      socket.emit("packet");
    });
    socket.resume();
  }

  static async connect(port: number): Promise<LargeClient> {
    const link = await PacketLink.dial("127.0.0.1", port, AbortSignal.timeout(5000));
    const endpoint = {
      ...{ name: "proxy", host: "127.0.0.1", port, user: USER, password: PASSWORD },
      tls: { mode: "disabled" as const },
    };
    await login(link, endpoint, { capabilities: CAPABILITIES, database: "shop", attributes: new Map() });
    return new LargeClient(link.detach().socket);
  }

  /** Sends one packet of the wire, and waits while the socket has too much to send already. */
  async packet(payload: Buffer, sequence: number): Promise<void> {
    const header = Buffer.alloc(4);
    header.writeUIntLE(payload.length, 0, 3);
    header[3] = sequence & 0xff;
    this.socket.write(header);
    if (!this.socket.write(payload) && !this.ended) await this.#either("drain");
  }

  /** The first packet of a command, filled up with `filler` to the 16 MiB at which it goes on. */
  async begin(head: Buffer, filler: number): Promise<void> {
    await this.packet(Buffer.concat([head, Buffer.alloc(PACKET_PAYLOAD_MAX - head.length, filler)]), 0);
  }

  send(command: Buffer): void {
    this.socket.write(frame(command, 0));
  }

  /** The next packet that comes; fails when the connection ends before. */
  async next(): Promise<{ readonly payload: Buffer; readonly sequence: number }> {
    while (this.#packets.length === 0) {
      if (this.ended) throw new Error("the connection has ended");
      await this.#either("packet");
    }
    return this.#packets.shift() as { payload: Buffer; sequence: number };
  }

  async #either(event: "drain" | "packet"): Promise<void> {
    const done = new AbortController();
    const { signal } = done;
    await Promise.race([event, "close"].map((one) => once(this.socket, one, { signal }))).catch(() => undefined);
    done.abort();
  }

  close(): void {
    this.socket.destroy();
  }
}
