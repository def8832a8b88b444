import mysql, { type Connection } from "mysql2/promise";
import type { TestServer } from "./servers.ts";

/** The tables that {@link LedgerWriters} writes; no unique key over (client, sequence), so that doubles can show. */
export const LEDGER_SCHEMA: readonly string[] = [
  "CREATE DATABASE ledger CHARACTER SET utf8mb4",
  `CREATE TABLE ledger.entry (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, sequence INT NOT NULL,
     note VARCHAR(60) NOT NULL, KEY by_client (client))`,
  "CREATE TABLE ledger.counter (client INT NOT NULL PRIMARY KEY, n INT NOT NULL)",
];

export const LEDGER_TABLES = "ledger.entry,ledger.counter";

const RECONNECT_MS = 50;

/** What the clients were told. */
export interface Told {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly errors: readonly string[];
}

/**
 * Clients that write without pause and remember, outside the databases, what was acknowledged: an autocommit insert,
 * then a transaction that inserts and counts. {@link check} compares that with every row of a server.
 */
export class LedgerWriters {
  readonly #urls: readonly string[];
  readonly #count: number;
  readonly #acknowledged: number[][] = [];
  readonly #uncertain: Set<number>[] = [];
  readonly #counted: number[] = [];
  readonly #errors: string[] = [];
  readonly #thinkMs: number;
  readonly #first: number;
  readonly #outlive: boolean;
  #stopped = false;
  #paused: PromiseWithResolvers<void> | undefined;
  #writing = 0;
  #work: Promise<unknown> = Promise.resolve();

  /**
   * Several connection strings are used in turn, client by client. Writers that follow others on the same tables begin
   * with another number of a client, `first`, and look at the rows of their own only. With `outlive` a client whose
   * write has failed does not know its outcome, connects again, and goes on with the next.
   */
  constructor(url: string | readonly string[], count: number, thinkMs = 2, first = 0, outlive = false) {
    this.#urls = typeof url === "string" ? [url] : url;
    this.#count = count;
    this.#thinkMs = thinkMs;
    this.#first = first;
    this.#outlive = outlive;
  }

  get told(): Told {
    const acknowledged = this.#acknowledged.reduce((sum, list) => sum + list.length, 0);
    const unknown = this.#uncertain.reduce((sum, set) => sum + set.size, 0);
    return { acknowledged, unknown, errors: this.#errors };
  }

  async start(): Promise<void> {
    const urls = Array.from({ length: this.#count }, (_, client) => this.#urls[client % this.#urls.length] ?? "");
    const connections = await Promise.all(urls.map(connected));
    this.#work = Promise.all(
      connections.map((connection, client) => this.#run(connection, client, urls[client] ?? "")),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.resume();
    await this.#work;
  }

  /** Resolves once nothing is being written; nothing will be until {@link resume}. */
  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers();
    while (this.#writing > 0) await nap(5);
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Every difference between what was acknowledged and what `home` holds; empty when all is well. */
  async check(home: TestServer): Promise<readonly string[]> {
    const findings: string[] = [];
    const entries = await home.root(
      `SELECT client - ${this.#first} AS client, sequence, COUNT(*) AS copies FROM ledger.entry
         WHERE ${this.#ours} GROUP BY client, sequence`,
    );
    const copies = new Map(entries.map((row) => [`${row["client"]}/${row["sequence"]}`, Number(row["copies"])]));
    for (const [client, sequences] of this.#acknowledged.entries()) {
      for (const sequence of sequences) {
        const found = copies.get(`${client}/${sequence}`) ?? 0;
        if (found === 0) findings.push(`lost: client ${client}, sequence ${sequence}`);
        if (found > 1) findings.push(`doubled: client ${client}, sequence ${sequence}, ${found} times`);
        copies.delete(`${client}/${sequence}`);
      }
      for (const sequence of this.#uncertain[client] ?? []) {
        const found = copies.get(`${client}/${sequence}`) ?? 0;
        if (found > 1)
          findings.push(`doubled: client ${client}, sequence ${sequence} of unknown outcome, ${found} times`);
        copies.delete(`${client}/${sequence}`);
      }
    }
    for (const key of copies.keys()) findings.push(`never acknowledged: ${key}`);
    const counters = await home.root(
      `SELECT client - ${this.#first} AS client, n FROM ledger.counter WHERE ${this.#ours}`,
    );
    for (const row of counters) {
      const client = Number(row["client"]);
      const expected = this.#counted[client] ?? 0;
      const spread = this.#uncertain[client]?.size ?? 0;
      const n = Number(row["n"]);
      if (n < expected || n > expected + spread)
        findings.push(`counter ${client} is ${n}, ${expected} were acknowledged`);
    }
    return findings;
  }

  /**
   * What of the writes acknowledged so far `home` lacks or has twice, and what errors clients were told, while they go
   * on. Each client counts its writes without a gap, so numbers are enough; {@link check} compares each one.
   */
  async checkSoFar(home: TestServer): Promise<readonly string[]> {
    const findings = [...this.#errors];
    const acknowledged = this.#acknowledged.map((sequences) => sequences.length);
    const rows = await home.root(
      `SELECT client - ${this.#first} AS client, COUNT(*) AS entries, COUNT(DISTINCT sequence) AS present
         FROM ledger.entry WHERE ${this.#ours} GROUP BY client`,
    );
    const found = new Map(rows.map((row) => [Number(row["client"]), row]));
    for (const [client, least] of acknowledged.entries()) {
      const present = Number(found.get(client)?.["present"] ?? 0);
      const entries = Number(found.get(client)?.["entries"] ?? 0);
      if (present < least) findings.push(`client ${client}: ${present} writes are there, ${least} were acknowledged`);
      if (entries > present) findings.push(`client ${client}: ${entries - present} writes are there twice`);
    }
    return findings;
  }

  get #ours(): string {
    return `client >= ${this.#first} AND client < ${this.#first + this.#count}`;
  }

  async #run(first: Connection, client: number, url: string): Promise<void> {
    this.#acknowledged[client] = [];
    this.#uncertain[client] = new Set();
    this.#counted[client] = 0;
    let connection: Connection | undefined = first;
    await connection.query("INSERT INTO ledger.counter VALUES (?, 0)", [this.#first + client]).catch(() => undefined);
    for (let sequence = 1; !this.#stopped; sequence += 1) {
      await this.#paused?.promise;
      this.#writing += 1;
      try {
        connection ??= await connected(url);
        await this.#write(connection, client, sequence);
      } catch (error) {
        connection?.destroy();
        connection = undefined;
        if (!this.#outlive) {
          this.#errors.push(`client ${client}: ${error instanceof Error ? error.message : String(error)}`);
          return;
        }
        await nap(RECONNECT_MS);
      } finally {
        this.#writing -= 1;
      }
      await nap(this.#thinkMs);
    }
    connection?.destroy();
  }

  async #write(connection: Connection, client: number, sequence: number): Promise<void> {
    const stored = this.#first + client;
    const insert = "INSERT INTO ledger.entry (client, sequence, note) VALUES (?, ?, ?)";
    this.#uncertain[client]?.add(sequence);
    if (sequence % 2 === 0) {
      await connection.execute(insert, [stored, sequence, "autocommit"]);
    } else {
      await connection.query("BEGIN");
      await connection.query(insert, [stored, sequence, "transaction"]);
      await connection.query("UPDATE ledger.counter SET n = n + 1 WHERE client = ?", [stored]);
      await connection.query("COMMIT");
      this.#counted[client] = (this.#counted[client] ?? 0) + 1;
    }
    this.#uncertain[client]?.delete(sequence);
    this.#acknowledged[client]?.push(sequence);
  }
}

async function connected(url: string): Promise<Connection> {
  const connection = await mysql.createConnection(url);
  // What ends it between two writes is told by the next.
  connection.on("error", () => undefined);
  return connection;
}

function nap(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
