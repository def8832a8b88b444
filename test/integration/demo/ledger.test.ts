import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Clients } from "../../../demo/clients.ts";
import { LatencyLog } from "../../../demo/latency-log.ts";
import { Ledger } from "../../../demo/ledger.ts";
import { readWrittenTables } from "../../../demo/read-rows.ts";
import { ROWS } from "../../../demo/schema.ts";
import { seed } from "../../../demo/seed.ts";
import { type Verdict, verifyLedger } from "../../../demo/verify.ts";
import type { Values } from "../../../demo/written-tables.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: Record<"home", TestServer>;
let home: TestServer;
let folder: string;
let initial: ReadonlyMap<string, readonly Values[]>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-ledger-"));
  servers = await startServers(["home"]);
  home = servers.home;
  // Fewer rows of what is only compared, so that each comparison is quick.
  await seed(home, () => undefined, { ...ROWS, visits: 1_000, orders: 1_000, order_items: 2_000 });
  await home.root("CREATE USER app IDENTIFIED BY 'secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO app");
  initial = await readWrittenTables(home);
});

afterAll(async () => {
  await stopServers(servers);
  rmSync(folder, { recursive: true, force: true });
});

function startClients(
  name: string,
  runSeed: number,
): { clients: Clients; ledger: Ledger; path: string; latencies: LatencyLog } {
  const path = join(folder, name);
  const ledger = new Ledger(path);
  const latencies = new LatencyLog();
  const url = `mysql://app:secret@${home.host}:${home.port}/shop`;
  const clients = new Clients({ urls: [url], count: 16, ledger, latencies, thinkMs: 20, seed: runSeed });
  return { clients, ledger, path, latencies };
}

describe("the ledger of the demo's clients, against a real server", () => {
  let path: string;
  const verify = (): Promise<Verdict> => verifyLedger(initial, path, home);

  beforeAll(async () => {
    const run = startClients("clean", 1);
    path = run.path;
    await run.clients.start();
    await sleep(3_000);
    await run.clients.stop();
    expect(run.clients.errorTexts).toEqual([]);
    expect(run.ledger.counts.acknowledged).toBeGreaterThan(200);
    expect(run.ledger.counts.unknown).toBe(0);
  });

  test("predicts every row of every table that the clients write", async () => {
    const verdict = await verify();
    expect(verdict.samples).toEqual([]);
    expect(verdict).toMatchObject({ lost: 0, doubled: 0 });
    expect(verdict.rows).toBeGreaterThan(25_000);
  });

  const one = "SELECT MIN(id) FROM (SELECT id FROM shop.transfers) AS t";
  const damages: readonly [string, string, string, Partial<Verdict>][] = [
    [
      "an acknowledged insert that is gone",
      `CREATE TABLE shop.kept AS SELECT * FROM shop.transfers WHERE id = (${one}); DELETE FROM shop.transfers WHERE id = (${one})`,
      "INSERT INTO shop.transfers SELECT * FROM shop.kept; DROP TABLE shop.kept",
      { lost: 1, doubled: 0 },
    ],
    [
      "an insert that is there twice",
      `INSERT INTO shop.transfers SELECT 9999999, client, sequence, debit, credit, amount, booked_at, memo FROM shop.transfers LIMIT 1`,
      "DELETE FROM shop.transfers WHERE id = 9999999",
      { lost: 0, doubled: 1 },
    ],
    [
      "an inserted row with one cent more",
      `UPDATE shop.transfers SET amount = amount + 0.01 WHERE id = (${one})`,
      `UPDATE shop.transfers SET amount = amount - 0.01 WHERE id = (${one})`,
      { lost: 1, doubled: 0 },
    ],
    [
      "an update of a shared row that was applied again",
      "UPDATE shop.stock SET quantity = quantity - 2, movements = movements + 1 WHERE sku = 'SKU-000007' AND warehouse = 0",
      "UPDATE shop.stock SET quantity = quantity + 2, movements = movements - 1 WHERE sku = 'SKU-000007' AND warehouse = 0",
      { lost: 0, doubled: 1 },
    ],
    [
      "an update of a shared row that was lost",
      `CREATE TABLE shop.kept AS SELECT * FROM shop.accounts WHERE transfers > 0 ORDER BY id LIMIT 1;
       UPDATE shop.accounts AS a JOIN shop.kept AS k USING (id) SET a.transfers = a.transfers - 1, a.balance = a.balance - 5`,
      `UPDATE shop.accounts AS a JOIN shop.kept AS k USING (id) SET a.transfers = k.transfers, a.balance = k.balance;
       DROP TABLE shop.kept`,
      { lost: 1, doubled: 0 },
    ],
    [
      "a row from before the clients that is gone",
      `CREATE TABLE shop.kept AS SELECT * FROM shop.order_items WHERE order_id = 1 AND line = 2;
       DELETE FROM shop.order_items WHERE order_id = 1 AND line = 2`,
      "INSERT INTO shop.order_items SELECT * FROM shop.kept; DROP TABLE shop.kept",
      { lost: 1, doubled: 0 },
    ],
    [
      "another spelling of a text, equal under the collation",
      "UPDATE shop.orders SET remark = UPPER(remark) WHERE id = 2",
      "UPDATE shop.orders SET remark = LOWER(remark) WHERE id = 2",
      { lost: 1, doubled: 0 },
    ],
    [
      "a row that nobody has written",
      "INSERT INTO shop.carts VALUES (99, 'x', 1, '{}', 0, NULL, '2025-01-01')",
      "DELETE FROM shop.carts WHERE client = 99",
      { lost: 0, doubled: 1 },
    ],
  ];

  test.each(damages)("finds %s", async (_, damage, repair, expected) => {
    await home.root(damage);
    const verdict = await verify();
    await home.root(repair);
    expect(verdict).toMatchObject(expected);
    expect(verdict.samples).not.toEqual([]);
  });

  test("is whole again after all of these repairs", async () => {
    expect(await verify()).toMatchObject({ lost: 0, doubled: 0, samples: [] });
  });
});

describe("clients whose server crashes under them", () => {
  test("keep what they were not told as a class of its own, and no acknowledged write is missed", async () => {
    initial = await readWrittenTables(home);
    const run = startClients("crash", 2);
    await run.clients.start();
    await sleep(1_500);
    await home.kill9();
    await home.start();
    await sleep(1_500);
    await run.clients.stop();
    expect(run.clients.errors).toBeGreaterThanOrEqual(16);
    const verdict = await verifyLedger(initial, run.path, home);
    expect(verdict.samples).toEqual([]);
    expect(verdict).toMatchObject({ lost: 0, doubled: 0 });
  });
});
