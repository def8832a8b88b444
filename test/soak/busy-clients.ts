import { setTimeout as sleep } from "node:timers/promises";
import mysql, { type Connection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { PASSWORD, USER } from "../integration/proxy/proxy-harness.ts";
import type { TestServer } from "../support/servers.ts";

const KINDS = ["text", "prepared", "transaction"] as const;
const THINK_MS = 100;
const ERRORS_KEPT_MAX = 20;
/** Rows of `shop.other`, which stays where it is; the same number everywhere. */
export const OTHER_ROWS = 20;

const INSERT = "INSERT INTO orders (client, note) VALUES (?, ?)";
const COUNT_OTHER = "SELECT COUNT(*) AS n FROM other WHERE id <= ?";
const LAST_OWN = "SELECT note FROM orders WHERE id = ?";

/**
 * Clients that write and read without end, a third of them by text, prepared statements and transactions each, and know
 * how many rows of theirs were acknowledged: the rows of client `c` have the numbers 1, 2, 3, …
 */
export class BusyClients {
  readonly errors: string[] = [];
  readonly #connections: Connection[] = [];
  readonly #acknowledged: number[] = [];
  #rounds = 0;
  #stopped = false;
  #work: Promise<unknown> = Promise.resolve();

  get rounds(): number {
    return this.#rounds;
  }

  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, count) => sum + count, 0);
  }

  async start(port: number, count: number): Promise<void> {
    for (let client = 0; client < count; client += 1) this.#connections.push(await connectClient(port));
    this.#work = Promise.all(this.#connections.map((connection, client) => this.#run(connection, client)));
  }

  /** Lets each finish its round. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    await Promise.all(this.#connections.map((connection) => connection.end()));
  }

  /** What is wrong with the rows of both homes together; empty when each acknowledged one is there once, and no other. */
  async check(servers: readonly TestServer[]): Promise<readonly string[]> {
    const found = this.#acknowledged.map(() => ({ rows: 0, sum: 0 }));
    for (const server of servers) {
      const sums =
        "SELECT client, COUNT(*) AS copies, SUM(CAST(note AS UNSIGNED)) AS sum FROM shop.orders GROUP BY client";
      for (const row of await server.root(sums)) {
        const own = found[Number(row["client"])];
        if (own === undefined) continue;
        own.rows += Number(row["copies"]);
        own.sum += Number(row["sum"]);
      }
    }
    return this.#acknowledged.flatMap((count, client) => {
      const { rows, sum } = found[client] ?? { rows: 0, sum: 0 };
      if (rows === count && sum === (count * (count + 1)) / 2) return [];
      return `client ${client}: ${count} rows were acknowledged, ${rows} are there, the sum of their numbers is ${sum}`;
    });
  }

  async #run(connection: Connection, client: number): Promise<void> {
    const kind = KINDS[client % KINDS.length] ?? "text";
    this.#acknowledged[client] = 0;
    await sleep((client * THINK_MS) / 200);
    while (!this.#stopped) {
      const note: number = (this.#acknowledged[client] ?? 0) + 1;
      try {
        await ROUND[kind](connection, client, String(note));
      } catch (error) {
        // What it does not know it must not count on, so this client ends.
        if (this.errors.length < ERRORS_KEPT_MAX) this.errors.push(`client ${client} (${kind}): ${error}`);
        return;
      }
      this.#acknowledged[client] = note;
      this.#rounds += 1;
      await sleep(THINK_MS);
    }
  }
}

export function connectClient(port: number): Promise<Connection> {
  return mysql.createConnection({ host: "127.0.0.1", port, user: USER, password: PASSWORD, database: "shop" });
}

type Round = (connection: Connection, client: number, note: string) => Promise<void>;

const ROUND: Readonly<Record<(typeof KINDS)[number], Round>> = {
  text: async (connection, client, note) => {
    await connection.query<ResultSetHeader>(INSERT, [client, note]);
    expectOther(await connection.query<RowDataPacket[]>(COUNT_OTHER, [OTHER_ROWS]));
  },
  prepared: async (connection, client, note) => {
    await connection.execute<ResultSetHeader>(INSERT, [client, note]);
    expectOther(await connection.execute<RowDataPacket[]>(COUNT_OTHER, [OTHER_ROWS]));
  },
  transaction: async (connection, client, note) => {
    await connection.query("BEGIN");
    const [{ insertId }] = await connection.query<ResultSetHeader>(INSERT, [client, note]);
    const [[row]] = await connection.query<RowDataPacket[]>(LAST_OWN, [insertId]);
    if (row?.["note"] !== note) throw new Error(`the transaction does not see its own row ${note}: ${row?.["note"]}`);
    await connection.query("COMMIT");
  },
};

function expectOther([[row]]: [RowDataPacket[], unknown]): void {
  if (row?.["n"] !== OTHER_ROWS) throw new Error(`shop.other has ${row?.["n"]} rows, not ${OTHER_ROWS}`);
}
