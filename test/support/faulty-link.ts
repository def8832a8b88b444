import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** One connection through the link, and both of its sockets. */
interface Passage {
  readonly near: Socket;
  readonly far: Socket;
  /** By what it said when it logged in: a stream's, and not a client's. */
  stream: boolean;
  /** Nothing passes it any more, and neither side hears of it. */
  stranded: boolean;
  /** The near side has been ended, and the far side has not heard of it. */
  forsaken: boolean;
}

/** How a login in clear text names the sessions of a stream. */
const STREAM_WORDS = ["switchyard_applier", "switchyard_reader"];
const LOGIN_BYTES_MAX = 4096;
const STALL_SLICE_MS = 5;

/** A network on loopback before one server, which can be slow, silent, or gone. */
export class FaultyLink {
  /** How many bytes a connection may move in a second, each way. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  readonly #to: () => number;
  readonly #server: Server;
  readonly #passages = new Set<Passage>();
  #silent = false;
  #away = false;

  private constructor(to: () => number) {
    this.#to = to;
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#open(near));
  }

  /** `to` gives the port of the server on loopback; asked for each connection anew. */
  static async start(to: () => number): Promise<FaultyLink> {
    const link = new FaultyLink(to);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const { near, far } of this.#passages) for (const socket of [near, far]) socket.resetAndDestroy();
  }

  /**
   * Ends all connections, and each new one as soon as it is made, until {@link restore}. The server behind hears of it only
   * then: what it did for a connection it keeps until somebody ends it there, locks and open transactions too. Gives how
   * many connections it has ended.
   */
  cutOff(): number {
    this.#away = true;
    return this.forsake();
  }

  /** Ends all connections of this moment, of which the server behind does not hear; new ones pass. Gives how many. */
  forsake(): number {
    const ended = this.#passages.size;
    for (const passage of this.#passages) {
      passage.forsaken = true;
      passage.near.resetAndDestroy();
    }
    return ended;
  }

  restore(): void {
    this.#away = false;
    for (const { forsaken, far } of this.#passages) if (forsaken) far.resetAndDestroy();
  }

  /** For so long nothing passes, though connections can be made and stay; then what has waited goes on. */
  async silence(ms: number): Promise<void> {
    this.#silent = true;
    await sleep(ms);
    this.#silent = false;
  }

  /** The streams' connections of this moment pass nothing any more, for ever; others and new ones do. */
  strand(): number {
    const stranded = [...this.#passages].filter(({ stream }) => stream);
    for (const passage of stranded) passage.stranded = true;
    return stranded.length;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const { near, far } of this.#passages) for (const socket of [near, far]) socket.destroy();
    await once(this.#server, "close");
  }

  #open(near: Socket): void {
    if (this.#away) {
      near.on("error", () => undefined);
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: "127.0.0.1", port: this.#to(), noDelay: true });
    near.setNoDelay(true);
    const passage: Passage = { near, far, stream: false, stranded: false, forsaken: false };
    this.#passages.add(passage);
    for (const socket of [near, far]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        if (passage.forsaken && socket === near) return;
        this.#passages.delete(passage);
        near.destroy();
        far.destroy();
      });
    }
    far.pause();
    void this.#carry(passage, near, far, true);
    void this.#carry(passage, far, near, false);
  }

  /** Moves what one side sends to the other, no faster than it is taken. */
  async #carry(passage: Passage, from: Socket, to: Socket, fromClient: boolean): Promise<void> {
    let seen = 0;
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (fromClient && seen < LOGIN_BYTES_MAX) {
          seen += chunk.length;
          passage.stream ||= STREAM_WORDS.some((word) => chunk.includes(word, 0, "latin1"));
        }
        while (passage.forsaken && !from.destroyed) await sleep(STALL_SLICE_MS);
        while ((this.#silent || passage.stranded) && !to.destroyed && !from.destroyed) await sleep(STALL_SLICE_MS);
        if (to.destroyed) return;
        if (this.bytesPerSecond < Number.POSITIVE_INFINITY) await sleep((chunk.length * 1000) / this.bytesPerSecond);
        if (!to.write(chunk)) await once(to, "drain");
      }
      to.end();
    } catch {
      if (!passage.forsaken || to === passage.near) to.destroy();
    }
  }
}
