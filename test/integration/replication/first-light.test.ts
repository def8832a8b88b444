import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Connection } from "../../../src/mysql/connection.ts";
import { clientEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers } from "../../support/servers.ts";
import { type Ends, type OpenedStream, openStream, settled, untilRunning } from "./stream-bench.ts";

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

describe("a table that clients write to all the time", () => {
  test("is copied and followed with least privileges, and ends equal by the servers' own checksums", async () => {
    await ends.source.root(`
      CREATE DATABASE shop; CREATE TABLE shop.orders (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40) NOT NULL,
        amount DECIMAL(10,2) NOT NULL, state ENUM('new','paid','sent') NOT NULL DEFAULT 'new', at TIMESTAMP(3) NULL,
        UNIQUE KEY by_customer (customer, id), KEY by_state (state));
      SET SESSION cte_max_recursion_depth = 100000;
      INSERT INTO shop.orders (customer, amount, at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        SELECT CONCAT('customer ', i), i / 7, FROM_UNIXTIME(1700000000 + i / 3) FROM n`);
    const client = await clientEndpoint(ends.source, ["shop"]);
    let writing = true;
    const writers = [1, 2, 3].map(async (writer) => {
      const connection = await Connection.connect(client);
      for (let i = 0; writing; i++) {
        const id = ((i * 7919 + writer * 131) % 25000) + 1;
        await connection.query("BEGIN");
        await connection.query(`INSERT INTO shop.orders (customer, amount) VALUES ('w${writer} ${i}', ${i})`);
        await connection.query(`UPDATE shop.orders SET amount = amount + 1, state = 'paid' WHERE id = ${id}`);
        if (i % 5 === 0) await connection.query(`DELETE FROM shop.orders WHERE id = ${(id * 3) % 25000}`);
        await connection.query(i % 11 === 0 ? "ROLLBACK" : "COMMIT");
      }
      await connection.close();
    });
    opened = await openStream(ends, ["shop.orders"]);
    await untilRunning(opened);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    writing = false;
    await Promise.all(writers);
    const { source, target } = await settled(ends, opened, ["shop.orders"]);
    expect(target).toEqual(source);
    const status = opened.stream.status();
    expect(status.drift).toBe(0);
    expect(status.appliedTransactions).toBeGreaterThan(50);
    expect(status.rowsCopied).toBeGreaterThan(10_000);
    const [create] = await ends.target.root("SHOW CREATE TABLE shop.orders");
    expect(create?.["Create Table"]).toContain("UNIQUE KEY `by_customer`");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(opened.stream.status().lagMs).toBeLessThan(2000);
  });

  test.each(["zlib", "zstd"] as const)("is copied and followed over %s, and ends equal", async (algorithm) => {
    const table = `packed.${algorithm}`;
    await ends.source.root(`
      CREATE DATABASE IF NOT EXISTS packed; CREATE TABLE ${table} (id INT PRIMARY KEY, body LONGTEXT, n INT);
      SET SESSION cte_max_recursion_depth = 100000;
      INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT i, REPEAT(CONCAT('text ', i), 20), 0 FROM n`);
    opened = await openStream(ends, [table], { migration: algorithm, compression: { algorithms: [algorithm] } });
    await untilRunning(opened);
    const status = await ends.source.root(`
      SELECT DISTINCT s.VARIABLE_VALUE AS algorithm FROM performance_schema.threads t
      JOIN performance_schema.status_by_thread s ON s.THREAD_ID = t.THREAD_ID AND s.VARIABLE_NAME = 'Compression_algorithm'
      WHERE t.PROCESSLIST_USER = 'switchyard' AND t.PROCESSLIST_COMMAND LIKE 'Binlog Dump%'`);
    expect(status).toContainEqual({ algorithm });
    await ends.source.root(`
      UPDATE ${table} SET n = id; DELETE FROM ${table} WHERE id % 7 = 0; INSERT INTO ${table} VALUES (0, REPEAT('large ', 3000000), 1)`);
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
  });
});
