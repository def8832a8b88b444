import { Connection } from "../../../src/mysql/connection.ts";
import { isMysqlError } from "../../../src/mysql/mysql-error.ts";
import { clientEndpoint } from "../../support/own-account.ts";
import type { TestServer } from "../../support/servers.ts";

/** A repeatable sequence of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return (Math.imul(state ^ (state >>> 13), 0x297a2d39) >>> 0) / 2 ** 32;
  };
}

const TABLES = ["ints", "pairs", "names", "words", "heap"] as const;

export async function createTables(source: TestServer, schema: string): Promise<readonly string[]> {
  await source.root(`CREATE DATABASE ${schema};
    CREATE TABLE ${schema}.ints (id INT PRIMARY KEY, u INT NULL, v VARCHAR(30), UNIQUE KEY (u));
    CREATE TABLE ${schema}.pairs (a INT, b VARCHAR(10) COLLATE utf8mb4_bin, v INT, PRIMARY KEY (a, b), KEY (v));
    CREATE TABLE ${schema}.names (id VARBINARY(12) PRIMARY KEY, v DECIMAL(8,2), g INT AS (LENGTH(id)) STORED);
    CREATE TABLE ${schema}.words (w VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT);
    CREATE TABLE ${schema}.heap (a INT, b VARCHAR(20), KEY (a));
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO ${schema}.ints WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i * 2, i, CONCAT('v', i) FROM n;
    INSERT INTO ${schema}.pairs WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i MOD 37, CONCAT('k', i), i FROM n;
    INSERT INTO ${schema}.names (id, v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT UNHEX(HEX(i * 7919)), i / 3 FROM n;
    INSERT INTO ${schema}.words WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT CONCAT('word', i), i FROM n;
    INSERT INTO ${schema}.heap WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i MOD 90, 'alike' FROM n;
    ANALYZE TABLE ${schema}.ints`);
  return TABLES.map((table) => `${schema}.${table}`);
}

/** One random transaction: inserts, updates, moved keys, swapped unique values, deletes, rollbacks. */
export function randomTransaction(schema: string, random: () => number): readonly string[] {
  const pick = (max: number): number => Math.floor(random() * max);
  const statements: string[] = ["BEGIN"];
  for (let i = 0; i < 1 + pick(4); i++) {
    const id = pick(3200);
    const other = pick(3200);
    const statement = [
      `INSERT IGNORE INTO ${schema}.ints VALUES (${id}, ${pick(5000)}, 'new')`,
      `UPDATE IGNORE ${schema}.ints SET id = ${other} WHERE id = ${id}`,
      `UPDATE ${schema}.ints SET v = CONCAT(LEFT(v, 20), 'x') WHERE id BETWEEN ${id} AND ${id + 20}`,
      `DELETE FROM ${schema}.ints WHERE id BETWEEN ${id} AND ${id + 3}`,
      `SELECT u INTO @a FROM ${schema}.ints WHERE id = ${id * 2}; SELECT u INTO @b FROM ${schema}.ints WHERE id = ${other};
       UPDATE ${schema}.ints SET u = NULL WHERE id = ${id}; UPDATE IGNORE ${schema}.ints SET u = @a WHERE id = ${other}; UPDATE IGNORE ${schema}.ints SET u = @b WHERE id = ${id}`,
      `INSERT IGNORE INTO ${schema}.pairs VALUES (${pick(40)}, 'k${pick(1200)}', ${id})`,
      `UPDATE IGNORE ${schema}.pairs SET a = ${pick(40)}, b = 'm${pick(900)}' WHERE a = ${pick(40)} AND b = 'k${pick(1000)}'`,
      `DELETE FROM ${schema}.pairs WHERE a = ${pick(40)} LIMIT 2`,
      `UPDATE IGNORE ${schema}.names SET id = UNHEX(HEX(${pick(9000000)})) WHERE v = ${pick(300)}`,
      `INSERT IGNORE INTO ${schema}.names (id, v) VALUES (UNHEX(HEX(${pick(9000000)})), ${pick(300)})`,
      `UPDATE IGNORE ${schema}.words SET w = UPPER(w), v = v + 1 WHERE w = 'word${pick(600)}'`,
      `INSERT IGNORE INTO ${schema}.words VALUES ('WORD${pick(900)}', 7)`,
      `DELETE FROM ${schema}.words WHERE w = 'Word${pick(600)}'`,
      `INSERT INTO ${schema}.heap SELECT * FROM ${schema}.heap WHERE a = ${pick(100)} LIMIT 2; INSERT INTO ${schema}.heap VALUES (${pick(100)}, NULL)`,
      `UPDATE ${schema}.heap SET a = a + 1, b = ${pick(2) === 0 ? "'alike'" : "NULL"} WHERE a = ${pick(100)} LIMIT ${1 + pick(3)}`,
      `DELETE FROM ${schema}.heap WHERE a = ${pick(100)} LIMIT 3`,
    ][pick(16)] as string;
    statements.push(statement);
  }
  statements.push(random() < 0.1 ? "ROLLBACK" : "COMMIT");
  return statements;
}

/** Clients that write until told to stop; the server's refusals (duplicates, deadlocks) are part of the game. */
export function writers(
  source: TestServer,
  schema: string,
  count: number,
  random: () => number,
): { stop(): Promise<void> } {
  let writing = true;
  const account = clientEndpoint(source, [schema]);
  const done = Array.from({ length: count }, async () => {
    const connection = await Connection.connect(await account, { multiStatements: true });
    while (writing) {
      for (const statement of randomTransaction(schema, random)) {
        try {
          await connection.queryMulti(statement);
        } catch (error) {
          if (!isMysqlError(error)) throw error;
          await connection.query("ROLLBACK");
          break;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    await connection.close();
  });
  return {
    async stop() {
      writing = false;
      await Promise.all(done);
    },
  };
}

/** Small enough that every table takes several snapshots with catch-up between them. */
export const TINY = {
  chunkRowsMax: 40,
  copyCycleMaxMs: 60,
  groupTransactionsMax: 7,
  groupBytesMax: 4000,
  queueBytesMax: 20_000,
};
