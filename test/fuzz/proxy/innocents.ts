import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import mysql, { type FieldPacket, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { within } from "../../../src/base/deadline.ts";
import { INNOCENT } from "./account.ts";

/** Any answer of theirs comes within this, whatever others do. */
const ANSWER_MS_MAX = 5000;
const PAUSE_MS = 5;
const STEPS_PER_CONNECTION = 400;
const READ =
  "SELECT note, (SELECT SUM(amount) FROM ledger.entries WHERE owner = ?) AS total, LAST_INSERT_ID() AS last " +
  "FROM ledger.entries WHERE id = ?";

/** What the sessions have seen that must notice nothing. */
export interface InnocentTally {
  answers: number;
  slowestMs: number;
  connections: number;
}

/**
 * Sessions with a ledger of their own, each of which knows what it must be told: by text and prepared, in and outside of
 * transactions. The first wrong answer, error or late answer of any is what {@link failed} tells.
 */
export class Innocents {
  readonly tally: InnocentTally = { answers: 0, slowestMs: 0, connections: 0 };
  readonly #port: number;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[];
  failed: string | undefined;

  constructor(port: number, count: number) {
    this.#port = port;
    this.#running = Array.from({ length: count }, (_, id) => this.#live(id));
  }

  /** Ends them; resolves when they have left. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #live(id: number): Promise<void> {
    const owner = randomUUID();
    let total = 0;
    try {
      while (!this.#stop.signal.aborted) {
        const connect = mysql.createConnection({
          ...{ host: "127.0.0.1", port: this.#port, ...INNOCENT, database: "ledger" },
          compress: id % 3 === 2,
        });
        const connection = await this.#timed("connecting", connect);
        this.tally.connections += 1;
        for (let step = 0; step < STEPS_PER_CONNECTION && !this.#stop.signal.aborted; step++) {
          total = await this.#step(connection, { owner, step, total });
          await sleep(PAUSE_MS);
        }
        await connection.end();
      }
    } catch (error) {
      this.failed ??= `innocent session ${id}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Adds to its account and reads it again. Answers the sum that it must have then. */
  async #step(
    connection: mysql.Connection,
    { owner, step, total }: { readonly owner: string; readonly step: number; readonly total: number },
  ): Promise<number> {
    const amount = 1 + (step % 7);
    const transaction = step % 5 === 0;
    if (transaction) await this.#timed("begin", connection.beginTransaction());
    const note = `${owner}-${step}-é`;
    const ask = <T extends mysql.QueryResult>(sql: string, values: (string | number)[]): Promise<[T, FieldPacket[]]> =>
      step % 2 === 0 ? connection.execute<T>(sql, values) : connection.query<T>(sql, values);
    const put = "INSERT INTO ledger.entries (owner, amount, note) VALUES (?, ?, ?)";
    const [written] = await this.#timed("insert", ask<ResultSetHeader>(put, [owner, amount, note]));
    const [rows] = await this.#timed("read", ask<RowDataPacket[]>(READ, [owner, written.insertId]));
    const gives = step % 10 === 5;
    if (gives) await this.#timed("rollback", connection.rollback());
    else if (transaction) await this.#timed("commit", connection.commit());
    const [row] = rows;
    const expected = total + amount;
    if (row?.["note"] !== note || Number(row["total"]) !== expected || Number(row["last"]) !== written.insertId) {
      throw new Error(`was told ${JSON.stringify(row)}, and knows the note ${note} and the sum ${expected}`);
    }
    return gives ? total : expected;
  }

  async #timed<T>(what: string, work: Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    const answer = await within(work, 2 * ANSWER_MS_MAX, what);
    const tookMs = performance.now() - startedAtMs;
    this.tally.answers += 1;
    this.tally.slowestMs = Math.max(this.tally.slowestMs, tookMs);
    if (tookMs > ANSWER_MS_MAX) throw new Error(`${what} took ${Math.round(tookMs)} ms, ${ANSWER_MS_MAX} are allowed`);
    return answer;
  }
}
