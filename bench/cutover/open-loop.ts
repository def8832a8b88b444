import mysql, { type Connection } from "mysql2/promise";
import type { MysqlServer } from "../../servers/mysql-server.ts";

export interface OpenLoopOptions {
  readonly port: number;
  readonly account: { readonly user: string; readonly password: string; readonly schema: string };
  readonly clients: number;
  readonly statementsPerSecond: number;
}

/** The tables that the clients write; no unique key over (client, sequence), so that doubles can show. */
export const OPEN_LOOP_SCHEMA = [
  "CREATE TABLE entry (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, sequence INT NOT NULL, KEY (client))",
  "CREATE TABLE counter (client INT NOT NULL PRIMARY KEY, n INT NOT NULL)",
] as const;

/** What was written and what was answered; kept here, outside of the databases. */
interface Client {
  readonly connection: Connection;
  readonly acknowledged: number[];
  /** Sent, and no answer has come: may be there or not. */
  readonly unknown: Set<number>;
  sequence: number;
  counted: number;
}

/** A statement's time since it was due, and when that was. */
export interface Latency {
  readonly dueMs: number;
  readonly tookMs: number;
}

/** Of 20 statements 6 write: two inserts and two updates by themselves, and an insert and an update in a transaction. */
const ROUND = "s i s s u s s BEGIN ti s tu COMMIT s s i s s u s s".split(" ");

/**
 * Clients that send statements at a fixed rate, whatever the answers do: each is due at its own time, and one that is
 * kept waiting delays those behind it, whose times count from when they were due.
 */
export class OpenLoop {
  readonly latencies: Latency[] = [];
  readonly errors: string[] = [];
  readonly #options: OpenLoopOptions;
  readonly #clients: Client[] = [];
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: OpenLoopOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { port, account, clients } = this.#options;
    for (let client = 0; client < clients; client += 1) {
      const { user, password, schema } = account;
      const connection = await mysql.createConnection({ host: "127.0.0.1", port, user, password, database: schema });
      await connection.query("INSERT INTO counter VALUES (?, 0)", [client]);
      this.#clients.push({ connection, acknowledged: [], unknown: new Set(), sequence: 0, counted: 0 });
    }
    const startMs = performance.now();
    this.#running = Promise.all(this.#clients.map((client, number) => this.#run(client, number, startMs)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    for (const { connection } of this.#clients) connection.destroy();
  }

  /** Compares every row at the tables' home with what the clients were told. */
  async check(home: MysqlServer): Promise<{ readonly rows: number; readonly lost: number; readonly doubled: number }> {
    const { schema } = this.#options.account;
    const entries = await home.root(`SELECT client, sequence, COUNT(*) AS n FROM ${schema}.entry GROUP BY 1, 2`);
    const copies = new Map(entries.map((row) => [`${row["client"]}/${row["sequence"]}`, Number(row["n"])]));
    const counters = await home.root(`SELECT client, n FROM ${schema}.counter`);
    const counts = new Map(counters.map((row) => [Number(row["client"]), Number(row["n"])]));
    let rows = 0;
    let lost = 0;
    let doubled = 0;
    for (const [number, client] of this.#clients.entries()) {
      for (const sequence of client.acknowledged) {
        const found = copies.get(`${number}/${sequence}`) ?? 0;
        rows += 1;
        lost += found === 0 ? 1 : 0;
        doubled += Math.max(0, found - 1);
      }
      for (const sequence of client.unknown) doubled += Math.max(0, (copies.get(`${number}/${sequence}`) ?? 0) - 1);
      const excess = (counts.get(number) ?? 0) - client.counted;
      if (excess < 0) lost -= excess;
      else doubled += Math.max(0, excess - client.unknown.size);
    }
    return { rows, lost, doubled };
  }

  async #run(client: Client, number: number, startMs: number): Promise<void> {
    const { clients, statementsPerSecond } = this.#options;
    const everyMs = (1000 * clients) / statementsPerSecond;
    const offsetMs = (everyMs * number) / clients;
    // Clients are at different places of the round, so that at any time some have a transaction open.
    for (let step = 0; !this.#stopped || step % ROUND.length !== 0; step += 1) {
      const dueMs = startMs + offsetMs + step * everyMs;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      try {
        await this.#send(client, number, ROUND[step % ROUND.length] ?? "s");
      } catch (error) {
        this.errors.push(`client ${number}: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      this.latencies.push({ dueMs, tookMs: performance.now() - dueMs });
    }
  }

  async #send(client: Client, number: number, kind: string): Promise<void> {
    const { connection } = client;
    switch (kind) {
      case "s":
        await connection.query("SELECT n FROM counter WHERE client = ?", [number]);
        return;
      case "i":
      case "ti": {
        const sequence = ++client.sequence;
        client.unknown.add(sequence);
        await connection.query("INSERT INTO entry (client, sequence) VALUES (?, ?)", [number, sequence]);
        if (kind === "i") this.#acknowledge(client, sequence);
        return;
      }
      case "u":
      case "tu":
        await connection.query("UPDATE counter SET n = n + 1 WHERE client = ?", [number]);
        client.counted += kind === "u" ? 1 : 0;
        return;
      case "COMMIT":
        await connection.query("COMMIT");
        this.#acknowledge(client, client.sequence);
        client.counted += 1;
        return;
      default:
        await connection.query(kind);
    }
  }

  #acknowledge(client: Client, sequence: number): void {
    client.unknown.delete(sequence);
    client.acknowledged.push(sequence);
  }
}
