import { setTimeout as sleep } from "node:timers/promises";
import { login } from "../../src/mysql/login.ts";
import { PacketLink } from "../../src/mysql/packet-link.ts";
import { COM, PACKET_PAYLOAD_MAX } from "../../src/wire/capabilities.ts";
import { ReplyTracker } from "../../src/wire/reply-tracker.ts";

const LOGIN_MS_MAX = 10_000;
const REPLY_MS_MAX = 20_000;

/** A connection to a server on this machine that sends commands byte by byte as the test wants them. */
export class RawSession {
  readonly #link: PacketLink;
  readonly #tracker: ReplyTracker;
  readonly closed: Promise<void>;

  private constructor(link: PacketLink, capabilities: number) {
    this.#link = link;
    this.#tracker = new ReplyTracker(capabilities);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    link.setHandler({
      packet: (payload) => {
        // The tracker counts packets of the wire; here payloads of several of them are already one.
        const length = payload.length === PACKET_PAYLOAD_MAX ? payload.length + 1 : payload.length;
        if (this.#tracker.wants(length, payload[0] ?? -1)) this.#tracker.take(payload);
      },
      lost: () => resolve(),
    });
  }

  static async login(port: number, user: string, password: string, capabilities: number): Promise<RawSession> {
    const link = await PacketLink.dial("127.0.0.1", port, AbortSignal.timeout(LOGIN_MS_MAX));
    const endpoint = { name: "raw", host: "127.0.0.1", port, user, password, tls: { mode: "disabled" as const } };
    await login(link, endpoint, { capabilities, database: undefined, attributes: new Map() });
    return new RawSession(link, capabilities);
  }

  /** Sends a command that the server does not answer. */
  send(payload: Buffer): void {
    this.#link.send(payload);
  }

  /** Prepares a statement and gives its id. */
  async prepare(statement: string): Promise<number> {
    await this.command(Buffer.from(`${String.fromCharCode(COM.STMT_PREPARE)}${statement}`));
    const id = this.#tracker.prepared?.statementId;
    if (id === undefined) throw new Error(`the server prepares no such statement: ${statement}`);
    return id;
  }

  /** Sends a command and waits for the whole reply. */
  async command(payload: Buffer): Promise<void> {
    this.#tracker.start(payload[0] ?? -1);
    this.#link.send(payload);
    const endsAtMs = performance.now() + REPLY_MS_MAX;
    while (!this.#tracker.complete) {
      if (performance.now() > endsAtMs) throw new Error(`no whole reply to command ${payload[0]}`);
      await sleep(1);
    }
  }
}
