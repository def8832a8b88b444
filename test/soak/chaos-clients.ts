import { setTimeout as sleep } from "node:timers/promises";
import mysql, { type Connection } from "mysql2/promise";
import { randomTransaction } from "../integration/replication/chaos-writers.ts";

const RETRY_MS = 100;
const THINK_MS = 10;

/**
 * Clients that write to a home past the proxies, as {@link randomTransaction} says: keys move, unique values swap, rows
 * come and go. What they are refused, and that their server dies, is part of the game.
 */
export class ChaosClients {
  readonly #schema: string;
  readonly #random: () => number;
  #work: Promise<unknown> = Promise.resolve();
  #writing = false;

  constructor(schema: string, random: () => number) {
    this.#schema = schema;
    this.#random = random;
  }

  /** `url` gives the connection string of the home, asked for each connection anew. */
  start(url: () => string, count: number): void {
    this.#writing = true;
    this.#work = Promise.all(Array.from({ length: count }, () => this.#run(url)));
  }

  /** Resolves once none of them writes. */
  async stop(): Promise<void> {
    this.#writing = false;
    await this.#work;
    this.#work = Promise.resolve();
  }

  async #run(url: () => string): Promise<void> {
    let connection: Connection | undefined;
    while (this.#writing) {
      try {
        connection ??= await connected(url());
        for (const statement of randomTransaction(this.#schema, this.#random)) await connection.query(statement);
        await sleep(THINK_MS);
      } catch {
        connection?.destroy();
        connection = undefined;
        await sleep(RETRY_MS);
      }
    }
    connection?.destroy();
  }
}

async function connected(uri: string): Promise<Connection> {
  const connection = await mysql.createConnection({ uri, multipleStatements: true });
  // What ends it between two statements is told by the next.
  connection.on("error", () => undefined);
  return connection;
}
