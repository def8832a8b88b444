import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "mysql2/promise";
import { connected } from "./client-kinds.ts";
import type { Write, WriteLedger, WriteState } from "./write-ledger.ts";

const USER = "past";
const PASSWORD = "past-the-proxy";
const THINK_MS = 8;
const RECONNECT_MS = 50;
const INSERT = "INSERT INTO ledger.entry (client, sequence, part, note) VALUES (?, ?, ?, 'past the proxy')";

/** An account of its own, that no proxy knows. */
export const BYPASS_GRANTS = `CREATE USER ${USER}@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON ledger.* TO ${USER}@'127.0.0.1'`;

/** Numbers of clients from here on are those who go past the proxies. */
const BYPASS_CLIENTS_FROM = 10_000;

/**
 * A client that writes straight to one server, whether the tables live there or not, by turns a statement and a transaction
 * of two. To be refused is part of its life; what is acknowledged must be kept.
 */
export class Bypass {
  readonly client: number;
  readonly #ledger: WriteLedger;
  readonly #port: number;
  #stopped = false;
  #started = false;
  #paused: PromiseWithResolvers<void> | undefined;
  #busy = false;
  #work: Promise<void> = Promise.resolve();

  constructor(ledger: WriteLedger, client: number, port: number) {
    this.#ledger = ledger;
    this.client = BYPASS_CLIENTS_FROM + client;
    this.#port = port;
  }

  /** Begins; more than once is once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.resume();
    await this.#work;
  }

  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers();
    while (this.#busy) await sleep(2);
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  counts(): Record<WriteState, number> {
    const counts = { unknown: 0, acknowledged: 0, refused: 0 };
    for (const { state } of this.#ledger.writesOf(this.client)) counts[state] += 1;
    return counts;
  }

  async #run(): Promise<void> {
    let connection: Connection | undefined;
    for (let turn = 0; !this.#stopped; turn += 1) {
      await sleep(THINK_MS);
      await this.#paused?.promise;
      this.#busy = true;
      try {
        connection ??= await connected(`mysql://${USER}:${PASSWORD}@127.0.0.1:${this.#port}/`);
        await (turn % 2 === 0 ? this.#statement(connection) : this.#transaction(connection));
      } catch (error) {
        // A transaction in which one statement was refused would stay open.
        if ((error as { sqlState?: string }).sqlState === undefined || turn % 2 === 1) {
          connection?.destroy();
          connection = undefined;
          await sleep(RECONNECT_MS);
        }
      } finally {
        this.#busy = false;
      }
    }
    connection?.destroy();
  }

  async #statement(connection: Connection): Promise<void> {
    const write = this.#ledger.begin(this.client, { parts: 1, counts: false });
    await answered(write, connection.query(INSERT, [write.client, write.sequence, 1]));
  }

  async #transaction(connection: Connection): Promise<void> {
    const write = this.#ledger.begin(this.client, { parts: 2, counts: false });
    write.state = "refused";
    await connection.query("BEGIN");
    await connection.query(INSERT, [write.client, write.sequence, 1]);
    await connection.query(INSERT, [write.client, write.sequence, 2]);
    write.state = "unknown";
    await answered(write, connection.query("COMMIT"));
  }
}

/** An error packet says that nothing was written; a connection that is gone says nothing. */
async function answered(write: Write, sent: Promise<unknown>): Promise<void> {
  try {
    await sent;
    write.state = "acknowledged";
  } catch (error) {
    if ((error as { sqlState?: string }).sqlState !== undefined) write.state = "refused";
    throw error;
  }
}
