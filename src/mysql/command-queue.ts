import { COM } from "../wire/capabilities.ts";
import { parseErr } from "../wire/err-packet.ts";
import { ConnectionLost } from "./connection-lost.ts";
import type { PacketHandler, PacketLink, Payload } from "./packet-link.ts";
import type { Reply, ReplyContext } from "./reply.ts";

/** Commands that have been sent and not been answered yet, at most. */
const PIPELINE_MAX = 64;

interface Command {
  readonly payload: Payload;
  readonly reply: Reply;
  /** Whether nothing else may be under way beside it, because the client speaks within its reply. */
  readonly alone: boolean;
  sent: boolean;
}

/**
 * The commands of one connection: sent in order, without waiting for the answers of those before, and answered in
 * order. A reply that throws, or a connection that ends, rejects every command with whether it had been sent.
 */
export class CommandQueue implements PacketHandler, ReplyContext {
  readonly capabilities: number;
  readonly server: string;
  readonly #link: PacketLink;
  readonly #commands: Command[] = [];
  #sent = 0;
  #status: number;
  #farewell: string | undefined;

  constructor(link: PacketLink, server: string, capabilities: number, status: number) {
    this.#link = link;
    this.server = server;
    this.capabilities = capabilities;
    this.#status = status;
    link.setHandler(this);
  }

  get lastStatus(): number {
    return this.#status;
  }

  /** Whether an answer is owed. */
  get busy(): boolean {
    return this.#commands.length > 0;
  }

  /** Queues a command. `alone` for those in whose reply the client speaks, or that have no end. */
  add(payload: Payload, reply: Reply, alone = false): void {
    if (this.#link.ended) {
      void this.#link.closed.then((reason) => reply.lost(new ConnectionLost(this.server, reason, false)));
      return;
    }
    this.#commands.push({ payload, reply, alone, sent: false });
    this.#sendReady();
  }

  packet(payload: Buffer, sequence: number): void | Promise<void> {
    const command = this.#commands[0];
    if (command === undefined || !command.sent) {
      // Before it closes an idle connection the server says why.
      this.#farewell = payload[0] === 0xff ? parseErr(payload).message : "a packet came that answers nothing";
      this.#link.end(this.#farewell);
      return undefined;
    }
    if (payload[0] === 0xff) {
      command.reply.failed(parseErr(payload), this);
      this.#completed();
      return undefined;
    }
    try {
      return this.#follow(command, command.reply.packet(payload, sequence, this));
    } catch (error) {
      this.#fail(command, error);
      return undefined;
    }
  }

  chunk: ((bytes: Buffer) => void | Promise<void>) | undefined;

  lost(reason: string): void {
    const commands = this.#commands.splice(0);
    this.#sent = 0;
    for (const command of commands) command.reply.lost(new ConnectionLost(this.server, reason, command.sent));
  }

  status(status: number): void {
    this.#status = status;
  }

  send(payload: Buffer, sequence: number): Promise<void> {
    return this.#link.sendSlowly(payload, sequence);
  }

  uncut(on: boolean, unread?: Buffer): void {
    this.chunk = on ? (bytes) => this.#chunk(bytes) : undefined;
    if (unread !== undefined && unread.length > 0) this.#link.unread(unread);
  }

  /** Says goodbye, so that the server does not count an aborted connection. Only when not {@link busy}. */
  quit(): void {
    this.#link.send(Buffer.from([COM.QUIT]));
    this.#link.finish();
  }

  #chunk(bytes: Buffer): void | Promise<void> {
    const command = this.#commands[0];
    if (command?.reply.chunk === undefined) return undefined;
    try {
      return this.#follow(command, command.reply.chunk(bytes, this));
    } catch (error) {
      this.#fail(command, error);
      return undefined;
    }
  }

  /** Goes on as the reply says: `outcome` is whether it is complete. */
  #follow(command: Command, outcome: boolean | Promise<boolean>): void | Promise<void> {
    if (outcome === false) return undefined;
    if (outcome === true) {
      this.#completed();
      return undefined;
    }
    return outcome.then(
      (complete) => {
        if (complete) this.#completed();
      },
      (error: unknown) => this.#fail(command, error),
    );
  }

  #fail(command: Command, error: unknown): void {
    command.reply.lost(error);
    this.#link.end(error instanceof Error ? error.message : String(error));
  }

  #completed(): void {
    if (this.#commands.shift() === undefined) return;
    this.#sent -= 1;
    this.#sendReady();
  }

  #sendReady(): void {
    while (this.#sent < PIPELINE_MAX) {
      const next = this.#commands[this.#sent];
      if (next === undefined || next.sent) return;
      const before = this.#commands[this.#sent - 1];
      if (this.#sent > 0 && (next.alone || before?.alone === true)) return;
      next.sent = true;
      this.#sent += 1;
      this.#link.send(next.payload);
    }
  }
}
