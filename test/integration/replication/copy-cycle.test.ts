import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { fullPace } from "../../../src/base/pace.ts";
import { parseTableKey } from "../../../src/base/table-name.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import type { CopyContext } from "../../../src/replication/copy-context.ts";
import { runCopyCycle } from "../../../src/replication/copy-cycle.ts";
import { type CopyState, loadCopyState, saveShapes } from "../../../src/replication/copy-state.ts";
import { claimLedger, closeLedger } from "../../../src/replication/ledger.ts";
import { serverUuid } from "../../../src/replication/server-identity.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { DEFAULT_STREAM_LIMITS } from "../../../src/replication/stream-options.ts";
import { connectSource, connectWriter } from "../../../src/replication/stream-session.ts";
import { readDefinition } from "../../../src/replication/table-definitions.ts";
import { createTargetTables } from "../../../src/replication/target-tables.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers } from "../../support/servers.ts";
import { type Ends, openStream, untilRunning } from "./stream-bench.ts";

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
  /** The tables that were asked for besides, of the same shape and with the same rows. */
  readonly others: readonly string[];
  readonly context: CopyContext;
  readonly state: CopyState;
  readonly control: Connection;
}

/** Everything up to the first snapshot of a table made by `columns` and `rows`, and of as many others as are asked for. */
async function prepared(
  columns: string,
  rows: string,
  changes: Partial<CopyContext> = {},
  otherTables = 0,
): Promise<Prepared> {
  const schema = `y${++sequence}`;
  const table = `${schema}.t`;
  const others = Array.from({ length: otherTables }, (_, i) => `${schema}.t${i + 2}`);
  await ends.source.root(`CREATE DATABASE ${schema}`);
  for (const one of [table, ...others]) {
    await ends.source.root(`CREATE TABLE ${one} (${columns}); ${rows.replaceAll("$t", one)}`);
  }
  const name = { migration: schema, direction: "forward" as const };
  const signal = new AbortController().signal;
  const source = await ownEndpoint(ends.source, "source-reader", [schema]);
  const target = await ownEndpoint(ends.target, "target-writer", [schema]);
  const observer = await connectSource(source, name, signal);
  const control = await connectWriter(target, name, { signal });
  opened.push(observer, control);
  await ensureSidecar(control);
  const claim = await claimLedger(control, schema, "forward", undefined, { copiers: 2 });
  const definitions = [];
  for (const one of [table, ...others]) definitions.push(await readDefinition(observer, parseTableKey(one)));
  await createTargetTables(observer, control, name, definitions);
  const state = await saveShapes(control, name, definitions, false);
  const context: CopyContext = {
    claim,
    source,
    target,
    observer,
    control,
    limits: { ...DEFAULT_STREAM_LIMITS, chunkRowsMax: 10 },
    packetBytesMax: 64 * 1024 * 1024,
    failpoint: noFailpoints,
    log: silentLogger,
    signal,
    isOver: () => false,
    whilePaused: () => Promise.resolve(),
    pace: fullPace.open(),
    onRows: () => undefined,
    onAgain: () => undefined,
    sourceUuid: await serverUuid(observer),
    estimates: new Map(),
    ...changes,
  };
  return { table, others, context, state, control };
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

  test.each([
    ["the order of its keys is the server's own", "w VARCHAR(10) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT"],
    ["it has no key, and each row of two alike is copied once", "w VARCHAR(10), v INT"],
  ])("begins anew where %s", async (_why, columns) => {
    let commits = 0;
    const { table, context, state, control } = await prepared(
      columns,
      `INSERT INTO $t ${numbers(55).replace("SELECT i, i", columns.includes("KEY") ? "SELECT CONCAT('w', i), i" : "SELECT 'w', i DIV 2 * 2")}`,
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

describe("a copy whose ledger was closed", () => {
  test("commits no chunk more, though nobody has ended its sessions", async () => {
    let close: () => Promise<void> = () => Promise.resolve();
    const failpoint: CopyContext["failpoint"] = (point) =>
      point === "copy-after-chunk-commit" ? close() : Promise.resolve();
    const rows = `INSERT INTO $t ${numbers(95)}`;
    const { table, context, state, control } = await prepared("id INT PRIMARY KEY, v INT", rows, { failpoint });
    const count = () => ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`);
    let there: Awaited<ReturnType<typeof count>> | undefined;
    close = async () => {
      if (there !== undefined) return;
      await closeLedger(control, context.claim.migration, "forward");
      there = await count();
    };
    const copying = runCopyCycle(context, state, GtidSet.empty, () => undefined);
    await expect(copying).rejects.toThrow("REPLICATION_LEDGER_TAKEN");
    expect(await count()).toEqual(there);
  });
});

describe("a copy that is interrupted behind each chunk", () => {
  test("begins anew so often and no more, whatever ends it, and as often again once somebody resumes it", async () => {
    const schema = `y${++sequence}`;
    const table = `${schema}.t`;
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${table} (a INT, v INT); INSERT INTO ${table} ${numbers(25).replace("SELECT i, i", "SELECT i DIV 4, 1")}`,
    );
    const open = (interruptions: number) => {
      let left = interruptions;
      return openStream(ends, [table], {
        migration: schema,
        limits: { chunkRowsMax: 10, wholeBeginningsMax: 3, reconnectMaxMs: 20 },
        failpoint: async (point) => {
          // A server that is away does not count as a failure.
          if (point === "copy-after-chunk-commit" && left-- > 0) {
            throw new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "interrupted" });
          }
        },
      });
    };
    const first = await open(Number.POSITIVE_INFINITY);
    try {
      expect(String(await Promise.race([first.ended, sleep(20_000)]))).toContain("REPLICATION_COPY_INTERRUPTED");
      expect(first.stream.status().tables).toMatchObject([{ table, beginnings: 3 }]);
      expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "0" }]);
    } finally {
      await first.stream.close();
    }
    // One process is killed after a beginning, the next one counts on.
    const second = await open(2);
    try {
      await untilRunning(second, 20_000);
      expect(second.stream.status()).toMatchObject({ rowsCopied: 25, tables: [{ rowsCopied: 25, beginnings: 3 }] });
    } finally {
      await second.stream.close();
    }
    const counts = `SELECT a, v, COUNT(*) AS n FROM ${table} GROUP BY a, v ORDER BY a`;
    expect(await ends.target.root(counts)).toEqual(await ends.source.root(counts));
  });

  test.each([
    ["comes to its end where each attempt goes on behind the last", "id INT PRIMARY KEY, v INT", undefined],
    ["stops after so many attempts where each begins anew", "id INT, v INT", "TIMEOUT"],
  ])("%s", async (_what, columns, ending) => {
    const schema = `y${++sequence}`;
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (${columns}); INSERT INTO ${schema}.t ${numbers(15)}`,
    );
    const one = await openStream(ends, [`${schema}.t`], {
      migration: schema,
      limits: { chunkRowsMax: 10, copyReaders: 1, failuresMax: 1, reconnectMaxMs: 20 },
      failpoint: async (point) => {
        if (point === "copy-after-chunk-commit") throw new SwitchyardError("TIMEOUT", { what: "interrupted" });
      },
    });
    try {
      if (ending === undefined) await untilRunning(one, 8000);
      else expect(String(await Promise.race([one.ended, sleep(8000)]))).toContain(ending);
    } finally {
      await one.stream.close();
    }
  });
});

describe("a document of SQL types", () => {
  test("that takes more as a statement than the target allows is refused, and is copied once it allows more", async () => {
    const schema = `y${++sequence}`;
    const table = `${schema}.t`;
    const allowed = (bytes: number) => ends.target.root(`SET GLOBAL max_allowed_packet = ${bytes}`);
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY, j JSON); INSERT INTO ${table} VALUES (1, '1.5'), (2, JSON_ARRAY(1.50, REPEAT('x', 1100000)))`,
    );
    await allowed(2 * 1024 * 1024);
    const small = await openStream(ends, [table], { migration: schema });
    try {
      expect(String(await small.ended)).toMatch(/REPLICATION_ROW_TOO_LARGE[\s\S]* the target allows 2097152/);
      expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "0" }]);
    } finally {
      await small.stream.close();
      await allowed(64 * 1024 * 1024);
    }
    const large = await openStream(ends, [table], { migration: schema });
    try {
      await untilRunning(large);
    } finally {
      await large.stream.close();
    }
    const shown = `SELECT id, JSON_TYPE(j->'$[0]') AS type, SHA2(CAST(j AS CHAR), 256) AS text FROM ${table} ORDER BY id`;
    expect(await ends.target.root(shown)).toEqual(await ends.source.root(shown));
  });
});

describe("several tables", () => {
  test("are copied side by side, and each keeps its definition until its last row is loaded", async () => {
    // 1. all rows of the first table have been read, and wait to be loaded; 2. the copiers have gone on to the second;
    // 3. somebody renames a column of the first: its snapshot must not have been closed yet, or what the rows were read
    //    by can no longer be proven.
    let renaming: Promise<unknown> | undefined;
    let opened = 0;
    const { table, others, context, state } = await prepared(
      "id INT PRIMARY KEY, v INT",
      `INSERT INTO $t ${numbers(7)}`,
      {
        log: { ...silentLogger, info: () => void opened++ },
        whilePaused: async () => {
          const deadline = performance.now() + 10_000;
          while (opened < 2 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
          renaming ??= ends.source
            .root(`SET SESSION lock_wait_timeout = 1; ALTER TABLE ${table} RENAME COLUMN v TO w`)
            .then(
              () => "renamed",
              (error: unknown) => String(error),
            );
          await renaming;
        },
      },
      1,
    );
    expect(await runCopyCycle(context, state, GtidSet.empty, () => undefined)).toEqual({ kind: "copied" });
    expect(opened).toBe(2);
    expect(await renaming).toMatch(/Lock wait timeout exceeded/);
    for (const one of [table, ...others]) {
      expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${one}`)).toEqual([{ n: "7" }]);
    }
    // Nothing of the cycle holds the tables any more.
    await ends.source.root(`SET SESSION lock_wait_timeout = 1; ALTER TABLE ${table} RENAME COLUMN v TO w`);
  });

  test("end together when one copier fails, and what is recorded of each is what is there", async () => {
    let commits = 0;
    const { table, others, context, state, control } = await prepared(
      "id INT PRIMARY KEY, v INT",
      `INSERT INTO $t ${numbers(95)}`,
      {
        failpoint: async (point) => {
          if (point === "copy-before-chunk-commit" && ++commits === 9) throw new Error("stopped here");
        },
      },
      2,
    );
    await expect(runCopyCycle(context, state, GtidSet.empty, () => undefined)).rejects.toThrow("stopped here");
    const all = [table, ...others];
    const name = { migration: context.claim.migration, direction: "forward" as const };
    const loaded = await loadCopyState(control, name, all.map(parseTableKey));
    if (loaded === undefined) throw new Error("nothing was recorded");
    for (const [i, one] of all.entries()) {
      const recorded = loaded.tables[i]?.chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
      expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${one}`)).toEqual([{ n: String(recorded) }]);
    }
    const position = [...loaded.snapshots.values()][0] ?? GtidSet.empty;
    expect(await runCopyCycle(context, loaded, position, () => undefined)).toEqual({ kind: "copied" });
    for (const one of all) {
      expect(await ends.target.root(`SELECT COUNT(*) AS n, SUM(v) AS v FROM ${one}`)).toEqual([
        { n: "95", v: String((95 * 96) / 2) },
      ]);
    }
  });
});
