import { setTimeout as sleep } from "node:timers/promises";
import mysql, { type Connection } from "mysql2/promise";
import { randomTransaction } from "../integration/replication/chaos-writers.ts";

/** A table without a key, in which a row that is applied twice is there twice. */
export const KEYLESS = "keyless";

const RETRY_MS = 100;
const THINK_MS = 10;

/**
 * Clients that write to a home past the proxies, as {@link randomTransaction} says: keys move, unique values swap, rows
 * come and go. What they are refused, and that their server dies, is part of the game.
 */
export class ChaosClients {
  readonly #schema: string;
  readonly #random: () => number;
  readonly #counting: () => string;
  #work: Promise<unknown> = Promise.resolve();
  #writing = false;

  /** `counting` gives a statement on other tables, which each client sends once for each of its transactions. */
  constructor(schema: string, random: () => number, counting: () => string) {
    this.#schema = schema;
    this.#random = random;
    this.#counting = counting;
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

  /** Rows that are alike come and go. */
  #keyless(): string {
    const a = Math.floor(this.#random() * 20);
    const table = `${this.#schema}.${KEYLESS}`;
    if (this.#random() < 0.3) return `DELETE FROM ${table} WHERE a = ${a} LIMIT 1`;
    if (this.#random() < 0.3) return `UPDATE ${table} SET b = 'changed' WHERE a = ${a} LIMIT 2`;
    return `INSERT INTO ${table} (a, b) VALUES (${a}, 'new'), (${a}, NULL)`;
  }

  async #run(url: () => string): Promise<void> {
    let connection: Connection | undefined;
    while (this.#writing) {
      try {
        connection ??= await connected(url());
        for (const statement of randomTransaction(this.#schema, this.#random)) await connection.query(statement);
        await connection.query(this.#keyless());
        await connection.query(this.#counting());
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
