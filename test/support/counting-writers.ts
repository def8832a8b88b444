import mysql from "mysql2/promise";
import type { TestServer } from "./servers.ts";

/** A table of one writer; no unique key over `n`, so that doubles can show. */
export function countingTable(name: string): string {
  return `CREATE TABLE ledger.${name} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)`;
}

/** One client for each table, which inserts 0, 1, 2 … and remembers what was acknowledged. */
export class CountingWriters {
  readonly #url: string;
  readonly #tables: readonly string[];
  readonly #thinkMs: number;
  /** How many were acknowledged, by table. */
  readonly #counts = new Map<string, number>();
  readonly errors: string[] = [];
  #stopped = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(url: string, tables: readonly string[], thinkMs: number) {
    this.#url = url;
    this.#tables = tables;
    this.#thinkMs = thinkMs;
  }

  get acknowledged(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  start(): void {
    this.#stopped = false;
    this.#work = Promise.all(this.#tables.map((table) => this.#write(table)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  /** What is not, once each and alone, on a server. */
  async check(server: TestServer): Promise<readonly string[]> {
    const findings: string[] = [...this.errors];
    for (const table of this.#tables) {
      const [row] = await server.root(
        `SELECT COUNT(*) AS total, COUNT(DISTINCT n) AS present, COALESCE(MAX(n) + 1, 0) AS next FROM ledger.${table}`,
      );
      const expected = this.#counts.get(table) ?? 0;
      const found = [Number(row?.["total"]), Number(row?.["present"]), Number(row?.["next"])];
      if (found.some((count) => count !== expected)) {
        findings.push(`${table}: ${found.join(" / ")} rows, numbers, next; ${expected} were acknowledged`);
      }
    }
    return findings;
  }

  async #write(table: string): Promise<void> {
    const connection = await mysql.createConnection(this.#url);
    try {
      for (let n = this.#counts.get(table) ?? 0; !this.#stopped; n += 1) {
        await connection.query(`INSERT INTO ledger.${table} (n) VALUES (${n})`);
        this.#counts.set(table, n + 1);
        await new Promise((resolve) => setTimeout(resolve, this.#thinkMs));
      }
    } catch (error) {
      this.errors.push(`${table}: ${String(error)}`);
    } finally {
      connection.destroy();
    }
  }
}
