import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { parseTableKey } from "../../../src/base/table-name.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import { type CopyContext, runCopyCycle } from "../../../src/replication/copy-cycle.ts";
import { type CopyState, loadCopyState, saveShapes } from "../../../src/replication/copy-state.ts";
import { claimLedger } from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar.ts";
import { DEFAULT_STREAM_LIMITS } from "../../../src/replication/stream-options.ts";
import { connectSource, connectWriter } from "../../../src/replication/stream-session.ts";
import { readDefinition } from "../../../src/replication/table-definitions.ts";
import { createTargetTables } from "../../../src/replication/target-tables.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers } from "../../support/servers.ts";
import type { Ends } from "./stream-bench.ts";

let ends: Ends;
let sequence = 0;
const opened: Connection[] = [];

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => {
  for (const connection of opened) await connection.close();
  await stopServers(ends as unknown as Record<string, never>);
});

interface Prepared {
  readonly table: string;
  readonly context: CopyContext;
  readonly state: CopyState;
  readonly control: Connection;
}

/** Everything up to the first snapshot of a table made by `columns` and `rows`. */
async function prepared(columns: string, rows: string, changes: Partial<CopyContext> = {}): Promise<Prepared> {
  const schema = `y${++sequence}`;
  const table = `${schema}.t`;
  await ends.source.root(
    `CREATE DATABASE ${schema}; CREATE TABLE ${table} (${columns}); ${rows.replaceAll("$t", table)}`,
  );
  const name = { migration: schema, direction: "forward" as const };
  const signal = new AbortController().signal;
  const source = await ownEndpoint(ends.source, "source-reader", [schema]);
  const target = await ownEndpoint(ends.target, "target-writer", [schema]);
  const observer = await connectSource(source, name, signal);
  const control = await connectWriter(target, name, { signal });
  opened.push(observer, control);
  await ensureSidecar(control);
  const claim = await claimLedger(control, schema, "forward", undefined, { copiers: 2 });
  const definition = await readDefinition(observer, parseTableKey(table));
  await createTargetTables(observer, control, name, [definition]);
  const state = await saveShapes(control, name, [definition], false);
  const context: CopyContext = {
    claim,
    source,
    target,
    observer,
    control,
    limits: { ...DEFAULT_STREAM_LIMITS, chunkRowsMax: 10 },
    failpoint: noFailpoints,
    log: silentLogger,
    signal,
    isOver: () => false,
    whilePaused: () => Promise.resolve(),
    onRows: () => undefined,
    estimates: new Map(),
    ...changes,
  };
  return { table, context, state, control };
}

const numbers = (count: number): string =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i, i FROM n`;

describe("a snapshot", () => {
  test("that does not hold all that the stream has done with is not used: rows passed over would be missing", async () => {
    const { table, context, state } = await prepared("id INT PRIMARY KEY, v INT", `INSERT INTO $t ${numbers(30)}`);
    const executed = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1");
    const outcome = await runCopyCycle(context, state, executed, () => undefined);
    expect(outcome).toEqual({ kind: "early" });
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "0" }]);
    expect(state.snapshots.size).toBe(0);
  });

  test("whose columns trade names before the first row is read is given up: they would be read under each other's", async () => {
    // 1. the read view is opened and the lock given back; 2. two columns trade names, which no read view prevents;
    // 3. the SELECT by name succeeds, with the values of the other column.
    const { table, context, state, control } = await prepared(
      "id INT PRIMARY KEY, a INT, b INT",
      "INSERT INTO $t VALUES (1, 10, 20)",
    );
    const query = control.query.bind(control);
    let renamed = false;
    control.query = async (sql) => {
      if (sql === "COMMIT" && !renamed) {
        renamed = true;
        await ends.source.root(`ALTER TABLE ${table} RENAME COLUMN a TO b, RENAME COLUMN b TO a`);
      }
      return await query(sql);
    };
    await expect(runCopyCycle(context, state, GtidSet.empty, () => undefined)).rejects.toThrow(
      "REPLICATION_TABLE_CHANGED",
    );
    expect(renamed).toBe(true);
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "0" }]);
  });

  test("of a table whose definition is another than the one that was read before is not copied", async () => {
    const { table, context, state } = await prepared("id INT PRIMARY KEY, v INT", `INSERT INTO $t ${numbers(3)}`);
    await ends.source.root(`ALTER TABLE ${table} MODIFY v BIGINT`);
    await expect(runCopyCycle(context, state, GtidSet.empty, () => undefined)).rejects.toThrow(
      "REPLICATION_TABLE_CHANGED",
    );
  });
});

describe("a copy that stops in the middle", () => {
  test("has recorded exactly the rows that are there, and goes on behind them", async () => {
    let chunks = 0;
    const { table, context, state, control } = await prepared(
      "id INT PRIMARY KEY, v INT",
      `INSERT INTO $t ${numbers(95)}`,
      {
        isOver: () => chunks >= 3,
        onRows: () => {
          chunks++;
        },
      },
    );
    expect((await runCopyCycle(context, state, GtidSet.empty, () => undefined)).kind).toBe("over");
    const name = { migration: context.claim.migration, direction: "forward" as const };
    const loaded = await loadCopyState(control, name, [parseTableKey(table)]);
    const recorded = loaded?.tables[0]?.chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
    const [there] = await ends.target.root(`SELECT COUNT(*) AS n, MAX(id) AS high FROM ${table}`);
    expect(Number(there?.["n"])).toBe(recorded);
    expect(loaded?.gaps(loaded.tables[0] as never)).toEqual([{ after: [Number(there?.["high"])], through: undefined }]);
    if (loaded === undefined) throw new Error("nothing was recorded");
    const position = [...loaded.snapshots.values()][0] ?? GtidSet.empty;
    const rest = await runCopyCycle({ ...context, isOver: () => false }, loaded, position, () => undefined);
    expect(rest).toEqual({ kind: "copied" });
    expect(await ends.target.root(`SELECT COUNT(*) AS n, SUM(v) AS v FROM ${table}`)).toEqual([
      { n: "95", v: String((95 * 96) / 2) },
    ]);
  });

  test("begins anew where the table counts only as a whole", async () => {
    let commits = 0;
    const { table, context, state, control } = await prepared(
      "w VARCHAR(10) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT",
      `INSERT INTO $t ${numbers(55).replace("SELECT i, i", "SELECT CONCAT('w', i), i")}`,
      {
        failpoint: async (point) => {
          if (point === "copy-after-chunk-commit" && ++commits === 3) throw new Error("stopped here");
        },
      },
    );
    await expect(runCopyCycle(context, state, GtidSet.empty, () => undefined)).rejects.toThrow("stopped here");
    const [partial] = await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`);
    expect(Number(partial?.["n"])).toBe(30);
    const name = { migration: context.claim.migration, direction: "forward" as const };
    const loaded = await loadCopyState(control, name, [parseTableKey(table)]);
    if (loaded === undefined) throw new Error("nothing was recorded");
    expect(loaded.copied).toBe(false);
    // Rows that went away meanwhile must not stay behind.
    await ends.source.root(`DELETE FROM ${table} WHERE v < 20`);
    const outcome = await runCopyCycle(context, loaded, GtidSet.empty, () => undefined);
    expect(outcome).toEqual({ kind: "copied" });
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "36" }]);
  });
});
