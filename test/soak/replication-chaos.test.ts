import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../../src/base/errors.ts";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { Connection } from "../../src/mysql/connection.ts";
import { isMysqlError } from "../../src/mysql/mysql-error.ts";
import {
  type Ends,
  type OpenedStream,
  openStream,
  settled,
  untilRunning,
} from "../integration/replication/stream-bench.ts";
import { startServers, stopServers } from "../support/servers.ts";

let ends: Ends;
let opened: OpenedStream | undefined;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  await opened?.stream.close();
  opened = undefined;
});

/** A repeatable sequence of numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return (Math.imul(state ^ (state >>> 13), 0x297a2d39) >>> 0) / 2 ** 32;
  };
}

const TABLES = ["ints", "pairs", "names", "words"] as const;

async function createTables(schema: string): Promise<readonly string[]> {
  await ends.source.root(`CREATE DATABASE ${schema};
    CREATE TABLE ${schema}.ints (id INT PRIMARY KEY, u INT NULL, v VARCHAR(30), UNIQUE KEY (u));
    CREATE TABLE ${schema}.pairs (a INT, b VARCHAR(10) COLLATE utf8mb4_bin, v INT, PRIMARY KEY (a, b), KEY (v));
    CREATE TABLE ${schema}.names (id VARBINARY(12) PRIMARY KEY, v DECIMAL(8,2), g INT AS (LENGTH(id)) STORED);
    CREATE TABLE ${schema}.words (w VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT);
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO ${schema}.ints WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i * 2, i, CONCAT('v', i) FROM n;
    INSERT INTO ${schema}.pairs WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i MOD 37, CONCAT('k', i), i FROM n;
    INSERT INTO ${schema}.names (id, v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT UNHEX(HEX(i * 7919)), i / 3 FROM n;
    INSERT INTO ${schema}.words WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT CONCAT('word', i), i FROM n;
    ANALYZE TABLE ${schema}.ints`);
  return TABLES.map((table) => `${schema}.${table}`);
}

/** One random transaction: inserts, updates, moved keys, swapped unique values, deletes, rollbacks. */
function transaction(schema: string, random: () => number): readonly string[] {
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
    ][pick(13)] as string;
    statements.push(statement);
  }
  statements.push(random() < 0.1 ? "ROLLBACK" : "COMMIT");
  return statements;
}

/** Clients that write until told to stop; the server's refusals (duplicates, deadlocks) are part of the game. */
function writers(schema: string, count: number, random: () => number): { stop(): Promise<void> } {
  let writing = true;
  const done = Array.from({ length: count }, async () => {
    const connection = await Connection.connect(ends.source.endpoint("root", ""), { multiStatements: true });
    while (writing) {
      for (const statement of transaction(schema, random)) {
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
const TINY = {
  chunkRowsMax: 40,
  copyCycleMaxMs: 60,
  groupTransactionsMax: 7,
  groupBytesMax: 4000,
  queueBytesMax: 20_000,
};

async function killStreamSessions(random: () => number): Promise<void> {
  const server = random() < 0.5 ? ends.source : ends.target;
  const rows = await server.root(
    `SELECT processlist_id AS id FROM performance_schema.session_connect_attrs WHERE attr_name LIKE 'switchyard\\_%'`,
  );
  for (const row of rows) if (random() < 0.7) await server.root(`KILL ${row["id"]}`).catch(() => undefined);
}

const POINTS: readonly Failpoint[] = [
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "catch-up-before-commit",
  "catch-up-after-commit",
];

describe("under writers that change keys and swap unique values", () => {
  test("sessions killed at random moments cost nothing and double nothing", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const tables = await createTables("killed");
    const clients = writers("killed", 3, random);
    opened = openStream(ends, tables, { migration: "killed", limits: TINY });
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50 + random() * 250));
      await killStreamSessions(random);
    }
    await untilRunning(opened, 120_000);
    await clients.stop();
    const { source, target } = await settled(ends, opened, tables);
    expect(target, `seed ${seed}`).toEqual(source);
    expect(opened.stream.status().drift, `seed ${seed}`).toBe(0);
  }, 180_000);

  test("a stream that fails at any of its named points goes on from there in the next process", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const tables = await createTables("points");
    const clients = writers("points", 3, random);
    const hit = new Map<Failpoint, number>();
    for (let i = 0; i < 28; i++) {
      const wanted = POINTS[i % POINTS.length];
      const failpoint = async (point: Failpoint): Promise<void> => {
        if (point !== wanted || random() > 0.3) return;
        hit.set(point, (hit.get(point) ?? 0) + 1);
        throw new SwitchyardError("INTERNAL_INVARIANT", { what: `stopped at ${point}` });
      };
      const one = openStream(ends, tables, { migration: "points", limits: TINY, failpoint });
      // A point of the copy is not met any more once everything is copied.
      const copied = untilRunning(one, 120_000).catch(() => undefined);
      await (wanted?.startsWith("copy") ? Promise.race([one.ended, copied]) : one.ended);
      await one.stream.close();
    }
    opened = openStream(ends, tables, { migration: "points", limits: TINY });
    await untilRunning(opened, 120_000);
    for (let i = 0; i < 10; i++) {
      await opened.stream.close();
      opened = openStream(ends, tables, { migration: "points", limits: TINY });
      await new Promise((resolve) => setTimeout(resolve, random() * 150));
    }
    await clients.stop();
    const { source, target } = await settled(ends, opened, tables);
    expect(target, `seed ${seed}`).toEqual(source);
    expect(opened.stream.status().drift, `seed ${seed}`).toBe(0);
    expect([...hit.keys()].sort()).toEqual([...POINTS].sort());
  }, 180_000);
});
