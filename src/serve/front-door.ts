import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "../base/logger.ts";
import { type ListenAddress, listenAt } from "../proxy/listen-at.ts";

/** A proxy process, as far as clients can be handed to it. */
export interface ClientTaker {
  /** False where it is known to be gone. */
  hand(socket: Socket): boolean;
}

/** Clients that wait for a process that is free. */
const WAITING_MAX = 1024;

/**
 * Where clients come in: the primary listens, and hands each to the process that has been free for longest, one at a time, so
 * that they are spread evenly and none waits for a process that stands still.
 *
 * Node's own cluster does the same, but loses who is handed to a process that has just ceased to listen: such a client is
 * neither greeted nor refused. Here the door is closed before any process is told to stop, and what was handed over before
 * comes to it before that order.
 */
export class FrontDoor {
  readonly #log: Logger;
  #address: ListenAddress;
  #server: Server | undefined;
  #opened: Promise<string> | undefined;
  #closed = false;
  readonly #takers = new Set<ClientTaker>();
  /** In the order in which they became free. */
  readonly #free = new Set<ClientTaker>();
  readonly #waiting: Socket[] = [];
  /** Handed over, and not known to be taken. Whoever it was handed to may have greeted it, so nobody else can be given it. */
  readonly #handed = new Map<ClientTaker, Socket>();

  constructor(address: ListenAddress, log: Logger) {
    this.#address = address;
    this.#log = log;
  }

  /**
   * A process takes clients from now on. Opens the door where it is shut, and answers where it is.
   *
   * @throws {SwitchyardError} `PROXY_LISTEN_FAILED`
   */
  async admit(taker: ClientTaker): Promise<string> {
    this.#takers.add(taker);
    this.#opened ??= this.#open();
    const address = await this.#opened;
    this.taken(taker);
    return address;
  }

  /** A process has taken the client that it was handed. */
  taken(taker: ClientTaker): void {
    this.#settle(taker);
    if (!this.#takers.has(taker)) return;
    this.#free.add(taker);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#hand(next);
  }

  /**
   * A process has ended. A client that it had not taken is disconnected; where it was the last one, clients are refused by
   * the system until there is one again.
   */
  leave(taker: ClientTaker): void {
    this.#settle(taker);
    this.#takers.delete(taker);
    this.#free.delete(taker);
    if (this.#takers.size === 0) this.#shut();
  }

  /** For good. Clients that have not been handed over are disconnected. */
  close(): void {
    this.#closed = true;
    this.#takers.clear();
    this.#free.clear();
    this.#shut();
  }

  async #open(): Promise<string> {
    if (this.#closed) return "";
    // Paused: what a client sends is for the process that gets it.
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#arrived(socket));
    this.#server = server;
    try {
      const { address: host, family, port } = await listenAt(server, this.#address);
      server.on("error", (error) => this.#log.error({ error: error.message }, "a client was not accepted"));
      // The same again, where the system has chosen it.
      this.#address = { ...this.#address, port };
      if (this.#server !== server) server.close();
      return family === "IPv6" ? `[${host}]:${port}` : `${host}:${port}`;
    } catch (error) {
      this.#shut();
      throw error;
    }
  }

  #shut(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#opened = undefined;
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #settle(taker: ClientTaker): void {
    this.#handed.get(taker)?.destroy();
    this.#handed.delete(taker);
  }

  #arrived(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    this.#hand(socket);
  }

  #hand(socket: Socket): void {
    for (const taker of this.#free) {
      this.#free.delete(taker);
      if (!taker.hand(socket)) continue;
      this.#handed.set(taker, socket);
      return;
    }
    if (this.#takers.size > 0 && this.#waiting.length < WAITING_MAX) this.#waiting.push(socket);
    else socket.destroy();
  }
}
