import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { AdminClient } from "../../../src/cli/admin-client.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import type { TestServer } from "../../support/servers.ts";
import type { TestSystem } from "../../support/system.ts";

/** Of every column: its definition on the source, on the target, its name there, and how SQL shows its value exactly. */
const COLUMNS: readonly (readonly [name: string, source: string, target: string, renamed: string, shown: string])[] = [
  ["ref", "INT UNSIGNED NOT NULL", "BIGINT NOT NULL", "entry_id", "?"],
  ["ti", "TINYINT NOT NULL", "INT", "ti", "?"],
  ["de", "DECIMAL(10,2)", "DECIMAL(30,10)", "price", "CAST(? AS DECIMAL(40,12))"],
  ["fl", "FLOAT", "DOUBLE", "fl", "CAST(? AS DOUBLE)"],
  ["ts", "TIMESTAMP NULL", "TIMESTAMP(6) NULL", "ts", "DATE_FORMAT(?, '%Y-%m-%d %H:%i:%s.%f')"],
  ["dt", "DATETIME(2)", "DATETIME(6)", "dt", "DATE_FORMAT(?, '%Y-%m-%d %H:%i:%s.%f')"],
  ["tm", "TIME", "TIME(3)", "tm", "TIME_TO_SEC(?) * 1000000 + MICROSECOND(?)"],
  ["vc", "VARCHAR(10)", "VARCHAR(300)", "title", "HEX(?)"],
  ["ch", "CHAR(4)", "CHAR(9)", "ch", "HEX(?)"],
  ["tx", "TINYTEXT", "LONGTEXT", "tx", "HEX(?)"],
  ["u3", "VARCHAR(10) CHARACTER SET utf8mb3", "VARCHAR(10) CHARACTER SET utf8mb4", "u3", "HEX(?)"],
  ["vb", "VARBINARY(6)", "BLOB", "vb", "HEX(?)"],
  ["en", "ENUM('9','b')", "ENUM('9','b','10','4')", "en", "CONCAT(? + 0, HEX(?))"],
  ["se", "SET('x','y')", "SET('x','y','z','0','1','2','3','4','5')", "se", "CONCAT(? + 0, HEX(?))"],
  ["js", "JSON", "JSON", "doc", "CONCAT(JSON_TYPE(?->'$[0]'), HEX(CAST(? AS CHAR)))"],
];
const SOURCE_TABLE = `CREATE TABLE ledger.mapped (${COLUMNS.map(([name, source]) => `${name} ${source}`).join(", ")},
  legacy VARCHAR(20) NOT NULL DEFAULT 'default', seen TIMESTAMP(6) NOT NULL DEFAULT '2001-01-01' ON UPDATE CURRENT_TIMESTAMP(6),
  dbl INT AS (ti * 2) VIRTUAL, PRIMARY KEY (ref), UNIQUE KEY by_title (vc))`;
/** Columns in another order, a key's name among the renamed ones. */
const TARGET_TABLE = `CREATE TABLE ledger.mapped (note VARCHAR(50) NOT NULL DEFAULT 'new', dbl INT AS (ti * 2) VIRTUAL,
  ${COLUMNS.toReversed()
    .map(([, , target, renamed]) => `${renamed} ${target}`)
    .join(", ")},
  extra BIGINT AS (entry_id + 1) STORED, PRIMARY KEY (entry_id), UNIQUE KEY by_title (title))`;
const RENAMED = COLUMNS.filter(([name, , , renamed]) => name !== renamed);
const WIDENED = COLUMNS.filter(([, source, target]) => source !== target).map(([name]) => name);
export const MAPPING = {
  rename: Object.fromEntries(RENAMED.map(([name, , , renamed]) => [name, renamed])),
  add: ["note", "extra"],
  drop: ["legacy", "seen"],
  widen: WIDENED,
};

const SESSION = "SET time_zone = '+00:00', sql_mode = ''";
const ROWS = `(ref, ti, de, fl, ts, dt, tm, vc, ch, tx, u3, vb, en, se, js) VALUES
  (4294967295, -128, '-99999999.99', 0.1, '2038-01-19 03:14:07', '0000-00-00', '-838:59:59', 'värchar  ', 'a', REPEAT('t', 255), '€', X'00FF20', 'b', 'x,y', '[1.0, {"a": "b"}]'),
  (0, 127, '0.01', -3.402823466e38, '1970-01-01 00:00:01', '9999-12-31 23:59:59.99', '838:59:59', '', '', '', '', '', '9', '', JSON_ARRAY(CAST('2024-01-01' AS DATE))),
  (7, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (8, 1, 8, 1e-45, '2024-03-31 02:30:00', '2024-00-00', '00:00:00', 'eight', 'é', 'x', 'ß', X'00', 0, 'y', '"s"')`;

/** What each server itself says of every value, in key order. */
function shown(server: TestServer, on: "source" | "target", also = ""): Promise<unknown> {
  const values = COLUMNS.map(([name, , , renamed, how]) => {
    const column = on === "source" ? name : renamed;
    return `${how.replaceAll("?", column)} AS ${name}`;
  });
  const key = on === "source" ? "ref" : "entry_id";
  return server.root(`${SESSION}; SELECT ${values.join(", ")}, dbl${also} FROM ledger.mapped ORDER BY ${key}`);
}

/** Writes the file of `migration create`, and gives its name. */
export function requestFile(system: TestSystem, name: string, mapping: object): string {
  const file = join(system.folder, `${name}.yaml`);
  const request = { from: "old", to: "new", tables: ["ledger.mapped"], mapping: { "ledger.mapped": mapping } };
  writeFileSync(file, JSON.stringify(request));
  return file;
}

export async function makeMapped(system: TestSystem): Promise<void> {
  await system.old.root(`${SESSION}; ${SOURCE_TABLE}; INSERT INTO ledger.mapped ${ROWS}`);
  await system.new.root(`CREATE DATABASE IF NOT EXISTS ledger; ${SESSION}; ${TARGET_TABLE}`);
}

/** One migration there and back, each server asked for its rows after each step. */
export async function movesThroughMapping(system: TestSystem, serve: ServeProcess): Promise<void> {
  const file = requestFile(system, "mapped", { ...MAPPING, allowNarrowing: true });
  const order = ordersOf(serve);
  const both = async (): Promise<unknown> => {
    const source = await shown(system.old, "source");
    await vi.waitFor(async () => expect(await shown(system.new, "target")).toEqual(await shown(system.old, "source")), {
      timeout: 20_000,
      interval: 50,
    });
    return source;
  };
  const created = await serve.run("migration", "create", "mapped", "-f", file, "--wait");
  expect(created, created.stdout + created.stderr).toMatchObject({ exit: 0 });
  expect(await both()).toHaveLength(4);
  await system.old.root(`${SESSION}; INSERT INTO ledger.mapped (ref, ti, vc, en) VALUES (9, 5, 'nine', 'b'), (10, 6, 'ten', '9');
    UPDATE ledger.mapped SET legacy = 'mine', ti = 2, de = 5.5, js = JSON_SET(js, '$[0]', 2e0) WHERE ref = 4294967295;
    UPDATE ledger.mapped SET ref = 11, fl = 0.3 WHERE ref = 10; DELETE FROM ledger.mapped WHERE ref = 8;
    BEGIN; UPDATE ledger.mapped SET vc = 'swap' WHERE ref = 9; UPDATE ledger.mapped SET vc = 'nine' WHERE ref = 11; COMMIT`);
  await both();
  // What the target alone has is its own; a repair leaves it.
  await system.new.root(`SET sql_log_bin = 0; UPDATE ledger.mapped SET note = 'own' WHERE entry_id IN (7, 9);
    UPDATE ledger.mapped SET title = 'broken', price = 0.001 WHERE entry_id = 9; DELETE FROM ledger.mapped WHERE entry_id = 11`);
  expect(await order("diff")).toMatchObject({ differences: 2 });
  expect(await order("diff-repair")).toMatchObject({ inserted: 1, rewritten: 1, refused: 0 });
  await both();
  expect(await notes(system)).toEqual(["new", "own", "own", "new", "new"]);
  const clean = await order("diff");
  expect(clean["tables"]).toMatchObject([{ notCompared: { source: ["legacy", "seen"], target: ["note", "extra"] } }]);
  expect(clean["schema"]).toEqual([]);

  expect(JSON.stringify(await order("switch", { dryRun: true }))).toContain("stops the way back");
  expect(await order("switch")).toMatchObject({ outcome: "switched" });
  const before = await shown(system.old, "source", ", legacy, seen");
  await system.new.root(`${SESSION}; INSERT INTO ledger.mapped (entry_id, ti, title, price, note) VALUES (20, 1, 'twenty', 1.5, 'n');
    UPDATE ledger.mapped SET title = 'changed', note = 'later' WHERE entry_id = 4294967295;
    UPDATE ledger.mapped SET entry_id = 12 WHERE entry_id = 7; DELETE FROM ledger.mapped WHERE entry_id = 0`);
  await both();
  const kept = await legacyOf(system);
  expect(kept.map(({ ref, legacy }) => [ref, legacy])).toEqual(
    [
      [9, "default"],
      [11, "default"],
      [12, "default"],
      [20, "default"],
      [4294967295, "mine"],
    ].map((row) => row.map(String)),
  );
  const seen = (rows: unknown): unknown =>
    (rows as { ref: string; seen: string }[]).find(({ ref }) => ref === "4294967295")?.seen;
  expect(seen(kept)).toBe(seen(before));
  await stopsAtWhatDoesNotFit(system, serve);
  await order("resume");
  await both();
  expect(await order("diff")).toMatchObject({ differences: 0 });
  await order("rollback");
  await system.old.root(
    "UPDATE ledger.mapped SET vc = 'home again' WHERE ref = 12; DELETE FROM ledger.mapped WHERE ref = 20",
  );
  await both();
  expect(await notes(system)).toEqual(["own", "new", "own", "new", "later"]);
}

/** A value that the old home's column does not take stops the way back, names the row, and passes once the column takes it. */
async function stopsAtWhatDoesNotFit(system: TestSystem, serve: ServeProcess): Promise<void> {
  await system.new.root(`${SESSION}; UPDATE ledger.mapped SET title = 'before' WHERE entry_id = 9;
    INSERT INTO ledger.mapped (entry_id, ti, title) VALUES (21, 1000, 'too wide')`);
  await vi.waitFor(
    async () => {
      const status = JSON.stringify(await serve.get("/v1/migrations/mapped"));
      expect(status).toContain("REPLICATION_VALUE_TOO_WIDE");
      expect(status).toContain("`ref`=21");
    },
    { timeout: 20_000, interval: 100 },
  );
  await system.old.root(`${SESSION}; ALTER TABLE ledger.mapped MODIFY ti SMALLINT NOT NULL`);
}

type Order = (action: string, body?: object) => Promise<Readonly<Record<string, unknown>>>;

/** Places orders as the commands do, without a process for each, and waits for what they report. */
function ordersOf(serve: ServeProcess): Order {
  const server = `http://127.0.0.1:${serve.adminPort}`;
  const { signal } = new AbortController();
  const client = new AdminClient({ server, token: undefined, clock: systemClock, signal });
  return async (action, body = {}) => {
    let { order, revision } = await client.order(`/v1/migrations/mapped/${action}`, { ...body });
    while (order.state === "pending" || order.state === "running") {
      ({ order, revision } = await client.follow(order.id, revision, 10_000));
    }
    expect(order.error).toBeUndefined();
    return order.result ?? {};
  };
}

async function notes(system: TestSystem): Promise<unknown[]> {
  const rows = await system.new.root("SELECT note FROM ledger.mapped ORDER BY entry_id");
  return rows.map((row) => row["note"]);
}

async function legacyOf(system: TestSystem): Promise<readonly Record<string, string | null>[]> {
  return await system.old.root(`${SESSION}; SELECT ref, legacy, seen FROM ledger.mapped ORDER BY ref`);
}
