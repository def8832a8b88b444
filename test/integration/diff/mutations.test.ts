import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { parseTableKey } from "../../../src/base/table-name.ts";
import type { DiffOptions, TableKeys } from "../../../src/diff/diff-options.ts";
import type { DiffReport } from "../../../src/diff/diff-report.ts";
import { runDiff } from "../../../src/diff/run-diff.ts";
import { type RepairReport, runRepair } from "../../../src/diff/run-repair.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { RowRepairer } from "../../../src/replication/row-repairer.ts";
import { clientEndpoint, ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { seeded } from "../replication/chaos-writers.ts";
import { type OpenedStream, openStream, settled, untilRunning } from "../replication/stream-bench.ts";
import { COLUMNS, ROW_KINDS, SAME_VALUES, VALUE_KINDS, type ValueKind } from "./mutation-kinds.ts";

/**
 * 1. All tables are copied by a stream, and 16 clients write to them through the source from then on.
 * 2. A diff finds nothing.
 * 3. Every kind of corruption is made on the target alone, unseen by any binary log: values in the first third, the
 *    middle and the last of the keys, and at the first and the last key of all.
 * 4. One diff names exactly the rows that were corrupted.
 * 5. A repair writes exactly these from the source, and a diff finds nothing again.
 */
const PAGE = new URL("../../../docs/reference/diff-corruptions.md", import.meta.url);
const TABLE_HEAD = "| what was changed | a fast diff finds it |\n|---|---|";
const SEED = Number(process.env["SWITCHYARD_SEED"] ?? 20_261_128);
const WRITERS = 16;
/** Keys that the writers change; those between are corrupted. */
const WRITTEN_EVERY = 4;
const ROWS = 450;
const ROOT_SESSION = "SET SESSION sql_log_bin = 0, sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'";

let ends: { source: TestServer; target: TestServer };
let opened: OpenedStream;
const stopWriting = new AbortController();
let writing: Promise<unknown> = Promise.resolve();

/** Which row each value kind is tried on. */
const random = seeded(SEED);
const places = placeKinds([...VALUE_KINDS, ...SAME_VALUES]);
const rowTables = ROW_KINDS.map((kind, index) => ({ ...kind, table: `t.r${index}` }));
const tables = ["t.wide", ...rowTables.map(({ table }) => table)];

interface Place {
  readonly id: number;
  readonly kind: ValueKind;
}

/** Each kind once in each third of the keys; the first and the last key belong to kinds of the seed's choice. */
function placeKinds(kinds: readonly ValueKind[]): readonly Place[] {
  const third = ROWS / 3;
  const shuffled = [0, 1, 2].map((part) =>
    Array.from({ length: third }, (_, at) => part * third + at + 1)
      .filter((id) => id % WRITTEN_EVERY !== 0 && id !== 1)
      .map((id) => ({ id, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ id }) => id),
  );
  const found = kinds.flatMap((kind, index) => shuffled.map((ids) => ({ id: ids[index] as number, kind })));
  const corrupted = found.slice(0, VALUE_KINDS.length * 3);
  const first = corrupted[Math.floor(random() * corrupted.length)] as Place;
  const last = corrupted[Math.floor(random() * corrupted.length)] as Place;
  return [...found, { id: 1, kind: first.kind }, { id: ROWS + 1, kind: last.kind }];
}

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
  const inserts = [
    `CREATE TABLE t.wide (id INT PRIMARY KEY, ${columns.join(", ")}, KEY (ii))`,
    `INSERT INTO t.wide (id, ii, vc) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= ${ROWS})
       SELECT i, i, CONCAT('row ', i) FROM n`,
    ...places.map(({ id, kind: [, column, home] }) => `UPDATE t.wide SET ${column} = ${home} WHERE id = ${id}`),
    ...rowTables.flatMap(({ table, columns: shape, rows }) => [
      `CREATE TABLE ${table} (${shape})`,
      `INSERT INTO ${table} ${rows}`,
    ]),
  ];
  await ends.source.root(`CREATE DATABASE t; ${ROOT_SESSION.replace("sql_log_bin = 0, ", "")}; ${inserts.join(";")}`);
  opened = await openStream(ends, tables);
  await untilRunning(opened);
  const client = await clientEndpoint(ends.source, ["t"]);
  writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(client, writer)));
}, 60_000);
afterAll(async () => {
  stopWriting.abort();
  await writing;
  await opened?.stream.close();
  await stopServers(ends);
});

/** Updates, deletes and inserts rows that no corruption is on, behind and between those that are. */
async function write(client: Awaited<ReturnType<typeof clientEndpoint>>, writer: number): Promise<void> {
  const connection = await Connection.connect(client);
  const pick = seeded(SEED + writer);
  for (let turn = 0; !stopWriting.signal.aborted; turn++) {
    const id = WRITTEN_EVERY * (1 + Math.floor((pick() * ROWS) / WRITTEN_EVERY));
    const more = 10_000 + writer * 100 + (turn % 100);
    await connection.query(
      [
        `UPDATE t.wide SET ii = ${turn}, db = ${pick()}, vc = 'turn ${turn}', ts = NOW(6), js = '[${turn}, 1.0]' WHERE id = ${id}`,
        `REPLACE INTO t.wide (id, ii, fl) VALUES (${more}, ${turn}, ${pick()})`,
        `DELETE FROM t.wide WHERE id = ${more}`,
      ][turn % 3] as string,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await connection.close();
}

async function diffOptions(compared = tables): Promise<DiffOptions> {
  return {
    migration: "m",
    direction: "forward",
    home: await ownEndpoint(ends.source, "diff", ["t"]),
    other: await ownEndpoint(ends.target, "diff", ["t"]),
    tables: compared.map(parseTableKey),
    stream: {
      closeIntake: () => opened.stream.closeIntake(),
      pauseIntake: () => opened.stream.pauseIntake(),
      stopAt: (position, options) => opened.stream.stopAt(GtidSet.parse(position), options),
      continue: () => opened.stream.continue(),
    },
    signal: new AbortController().signal,
    log: silentLogger,
    clock: systemClock,
    failpoint: noFailpoints,
    limits: { samplesMax: 10_000 },
  };
}

/** What the last diff found. */
let differences: TableKeys[] = [];

async function diff(compared = tables): Promise<DiffReport> {
  differences = [];
  return await runDiff({ ...(await diffOptions(compared)), onDifferences: (found) => differences.push(found) });
}

/** By sums of ranges so short that there are some before, between and behind the corrupted rows, and several in one. */
async function fastDiff(compared = tables): Promise<DiffReport> {
  const limits = { samplesMax: 10_000, fastRangeRows: 40, fastReadRows: 7 };
  return await runDiff({ ...(await diffOptions(compared)), fast: true, limits });
}

async function repair(dryRun: boolean, of = differences): Promise<RepairReport> {
  const signal = new AbortController().signal;
  const target = await ownEndpoint(ends.target, "target-writer", ["t"]);
  const epoch = (): bigint => opened.stream.epoch ?? 0n;
  const port = await RowRepairer.open(target, { migration: "m", direction: "forward" }, epoch, signal);
  try {
    return await runRepair({ ...(await diffOptions()), differences: of, dryRun, port });
  } finally {
    await port.close();
  }
}

function schemaOf(kind: string, what: string, field: string, source: string, target: string): object {
  const table = rowTables.find((one) => one.what.startsWith(kind))?.table;
  return { table, what, source: { [field]: source }, target: { [field]: target } };
}

const reported = (report: DiffReport): string[] => report.samples.map(({ table, key }) => `${table} ${key}`).sort();

test("a clean pair that 16 clients write to is never called different", { timeout: 120_000 }, async () => {
  const report = await diff(tables.slice(0, 4));
  expect(reported(report)).toEqual([]);
  expect(report.schema).toEqual([]);
  expect(report.rows).toBeGreaterThan(ROWS);
  const fast = await fastDiff();
  expect(reported(fast)).toEqual([]);
  // No row of the wide one was read.
  expect(fast.tables[0]).toMatchObject({ table: "t.wide", bytes: 0, rows: expect.any(Number) });
});

test("every kind of corruption is found wherever it is, and nothing else", { timeout: 60_000 }, async () => {
  const values = places.map(
    // By way of NULL: to an UPDATE, 1 and 1.0 in JSON are the same, and nothing would be written.
    ({ id, kind: [, column, , other] }) =>
      `UPDATE t.wide SET ${column} = NULL WHERE id = ${id}; UPDATE t.wide SET ${column} = ${other} WHERE id = ${id}`,
  );
  const rows = rowTables.map(({ table, corruption }) => corruption.replaceAll(/\bT\b/g, table));
  await ends.target.root(`${ROOT_SESSION}; ${[...values, ...rows].join(";")}`);

  const report = await diff();
  expect(report.schema).toEqual([
    schemaOf("a generated", "column w", "expression", "(`v` + 1)", "(`v` + 2)"),
    schemaOf("a collation", "column k", "collation", "utf8mb4_0900_ai_ci", "utf8mb4_bin"),
  ]);
  const found = new Set(reported(report));
  const same = new Set<ValueKind>(SAME_VALUES);
  const corrupted = places.filter(({ kind }) => !same.has(kind));
  const missed = [
    ...corrupted.filter(({ id }) => !found.has(`t.wide id=${id}`)).map(({ id, kind }) => `${kind[0]} (row ${id})`),
    ...rowTables
      .filter(({ table, keys }) => !keys.every((key) => found.has(`${table} ${key}`)))
      .map(({ what }) => what),
  ];
  const expected = new Set([
    ...corrupted.map(({ id }) => `t.wide id=${id}`),
    ...rowTables.flatMap(({ table, keys }) => keys.map((key) => `${table} ${key}`)),
  ]);
  const kinds = VALUE_KINDS.length + ROW_KINDS.length;
  const lost = new Set(missed.map((what) => what.replace(/ \(row .*$/, ""))).size;
  process.stdout.write(`mutation score ${kinds - lost} of ${kinds} (seed ${SEED})\n`);
  expect(missed).toEqual([]);
  expect([...found].filter((key) => !expected.has(key))).toEqual([]);
  expect(kinds).toBeGreaterThanOrEqual(60);

  const fast = await fastDiff();
  const seen = new Set(reported(fast));
  expect([...seen].filter((key) => !expected.has(key))).toEqual([]);
  const whole = new Map(fast.tables.map(({ table, notFast }) => [table, notFast]));
  const line = (what: string, table: string, keys: readonly string[]): string => {
    const how = whole.get(table) === undefined ? "by its sum" : `reading the table: ${whole.get(table)}`;
    return `| ${what} | ${keys.every((key) => seen.has(`${table} ${key}`)) ? how : "**not seen**"} |`;
  };
  const lines = [
    ...VALUE_KINDS.map((kind) => {
      const ids = corrupted.filter((place) => place.kind === kind).map(({ id }) => `id=${id}`);
      return line(kind[0], "t.wide", ids);
    }),
    ...rowTables.map(({ what, table, keys }) => line(what, table, keys)),
  ];
  const page = readFileSync(PAGE, "utf8");
  const head = page.slice(0, page.indexOf(TABLE_HEAD) + TABLE_HEAD.length);
  const now = `${head}\n${lines.join("\n")}\n`;
  if (process.env["SWITCHYARD_WRITE"] === "1") writeFileSync(PAGE, now);
  else expect(page, "SWITCHYARD_WRITE=1 writes it anew").toBe(now);
});

test("a repair writes these rows from the home and no other, and a dry run of it nothing", {
  timeout: 60_000,
}, async () => {
  const changed = rowTables.filter(({ corruption }) => corruption.startsWith("ALTER"));
  const rebuilt = changed.map(({ table, columns }) =>
    columns.includes("utf8mb4_0900_ai_ci")
      ? `ALTER TABLE ${table} MODIFY k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci`
      : `ALTER TABLE ${table} MODIFY w INT AS (v + 1) VIRTUAL`,
  );
  const state =
    "SELECT SUM(CRC32(CONCAT_WS('/', id, ti, fl, bl))) AS s, MAX(LENGTH(bl)) AS l FROM t.wide WHERE id % 4 <> 0 AND id < 10000";
  const before = await ends.target.root(state);
  const looked = differences.slice(0, 6);
  const planned = await repair(true, looked);
  expect(await ends.target.root(state)).toEqual(before);
  const keys = looked.reduce((sum, table) => sum + table.keys.length, 0);
  expect(planned.inserted + planned.deleted + planned.rewritten).toBe(keys);

  // Where a generated column is computed otherwise no row can be made equal, and none is touched.
  const done = await repair(false);
  expect(done.tables.slice(0, 6)).toEqual(planned.tables);
  expect(done.tables.filter(({ refused }) => refused > 0).map(({ table }) => table)).toEqual(
    rowTables.filter(({ what }) => what.startsWith("a generated")).map(({ table }) => table),
  );
  await ends.target.root(`${ROOT_SESSION}; ${rebuilt.join(";")}`);
  expect(await diff()).toMatchObject({ differences: 0, schema: [] });
  expect(opened.stream.status()).toMatchObject({ state: "running", drift: 0 });
});

test("a repair of rows that clients are writing puts none of them back", { timeout: 60_000 }, async () => {
  await ends.target.root(`${ROOT_SESSION}; UPDATE t.wide SET inv = 77 WHERE id % ${WRITTEN_EVERY} = 0 AND id < 10000`);
  const report = await diff(["t.wide"]);
  const { rewritten, equal, inserted, deleted, refused } = await repair(false);
  expect({ keys: rewritten + equal, inserted, deleted, refused }).toEqual({
    keys: report.differences,
    inserted: 0,
    deleted: 0,
    refused: 0,
  });
  expect(rewritten).toBeGreaterThan(0);
  stopWriting.abort();
  await writing;
  expect(reported(await diff(["t.wide"]))).toEqual([]);
  expect(await settled(ends, opened, ["t.wide"])).toSatisfy(
    ({ source, target }) => JSON.stringify(source) === JSON.stringify(target),
  );
});
