import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ServeProcess } from "../support/serve-process.ts";
import { TestSystem } from "../support/system.ts";

const MIB = 1024 * 1024;
const MEMORY_BYTES_MAX = 300 * MIB;
const ROWS = 5_000_000;
const FAT_ROWS = 4096;
const FAT_BYTES = MIB / 4;
const LOOK_MS = 500;
const TIMEOUT_MS = 1800_000;

let system: TestSystem;
let serve: ServeProcess;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  await system.old.root(
    `CREATE TABLE ledger.many (id INT PRIMARY KEY, n INT NOT NULL, word VARCHAR(20) NOT NULL);
     CREATE TABLE ledger.fat (id INT PRIMARY KEY, body LONGBLOB NOT NULL);
     CREATE TABLE ledger.digit (d INT PRIMARY KEY); INSERT INTO ledger.digit VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)`,
  );
  serve = await system.serve();
}, 120_000);
afterAll(async () => {
  await serve?.stop();
  await system?.stop();
}, 120_000);

/** Of the process that runs the streams: the most that it ever had in memory. */
function peakBytes(): number {
  const status = readFileSync(`/proc/${serve.childPid("controller")}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

function printed(what: string): number {
  const bytes = peakBytes();
  process.stderr.write(`${what}: the stream's process had at most ${(bytes / MIB).toFixed(0)} MiB\n`);
  return bytes;
}

/** Waits until the target has so many rows of the table, and gives what both servers make of them. */
async function arrived(table: string, rows: number): Promise<readonly unknown[]> {
  const count = async (): Promise<number> =>
    Number((await system.new.root(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.["n"]);
  while ((await count()) < rows) await sleep(LOOK_MS);
  const sum = `CHECKSUM TABLE ${table} EXTENDED`;
  return await Promise.all([system.old.root(sum), system.new.root(sum)]);
}

async function create(id: string): Promise<void> {
  const args = ["--from", "old", "--to", "new", "--tables", "ledger.many,ledger.fat", "--wait"];
  expect(await serve.run("migration", "create", id, ...args)).toMatchObject({ exit: 0 });
}

test(
  `a transaction of ${ROWS} rows, one of ${(FAT_ROWS * FAT_BYTES) / MIB} MiB, and a copy of both, stream through in flat memory`,
  async () => {
    await create("large");
    printed("at the beginning");
    const digits = ["a", "b", "c", "e", "f", "g", "h"].map((name) => `ledger.digit ${name}`).join(" JOIN ");
    const number = "a.d + b.d * 10 + c.d * 100 + e.d * 1000 + f.d * 10000 + g.d * 100000 + h.d * 1000000";
    await system.old.root(
      `INSERT INTO ledger.many SELECT ${number}, a.d, CONCAT('word', b.d) FROM ${digits} WHERE ${number} < ${ROWS}`,
    );
    const [many, manyThere] = await arrived("ledger.many", ROWS);
    expect(manyThere).toEqual(many);
    expect(printed(`a transaction of ${ROWS} rows`)).toBeLessThan(MEMORY_BYTES_MAX);

    await system.old.root(
      `SET SESSION cte_max_recursion_depth = 100000; INSERT INTO ledger.fat
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${FAT_ROWS})
         SELECT i, REPEAT(UNHEX(SHA2(i, 256)), ${FAT_BYTES / 32}) FROM n`,
    );
    const [fat, fatThere] = await arrived("ledger.fat", FAT_ROWS);
    expect(fatThere).toEqual(fat);
    expect(printed(`a transaction of ${(FAT_ROWS * FAT_BYTES) / MIB} MiB`)).toBeLessThan(MEMORY_BYTES_MAX);

    expect(await serve.run("migration", "cancel", "large")).toMatchObject({ exit: 0 });
    await create("again");
    expect(await arrived("ledger.many", ROWS)).toEqual([many, many]);
    expect(await arrived("ledger.fat", FAT_ROWS)).toEqual([fat, fat]);
    expect(printed("a copy of both")).toBeLessThan(MEMORY_BYTES_MAX);
    expect(await serve.run("diff", "start", "again")).toMatchObject({ exit: 0 });
    expect(printed("a diff of both")).toBeLessThan(MEMORY_BYTES_MAX);
  },
  TIMEOUT_MS,
);
