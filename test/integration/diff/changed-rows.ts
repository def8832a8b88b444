import { describe, expect, test } from "vitest";
import { refreshedTo } from "../../../src/controller/freshness.ts";
import { type RoundOutcome, refreshRound } from "../../../src/controller/refresh-round.ts";
import type { DiffSummary, Refreshed } from "../../../src/cutover/migration-document.ts";
import { connectSide } from "../../../src/diff/compare-keys.ts";
import type { DiffOptions } from "../../../src/diff/diff-options.ts";
import type { DiffReport } from "../../../src/diff/diff-report.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { readExecuted } from "../../../src/mysql/read-executed.ts";
import { readTableShape } from "../../../src/mysql/read-table-shape.ts";
import { type TouchedBatch, TouchedRows } from "../../../src/replication/touched-rows.ts";
import { alike } from "../../../src/table/carried-columns.ts";
import type { TestServer } from "../../support/servers.ts";
import { KEYS } from "./diff-tables.ts";
import type { ReplicaStream } from "./replica-stream.ts";

/** Two servers, of which the other is a native replica of the home. */
export interface Pair {
  readonly servers: () => { readonly home: TestServer; readonly other: TestServer };
  readonly make: (name: string, columns: string, ...inserts: string[]) => Promise<void>;
  readonly caughtUp: () => Promise<void>;
  readonly diff: (options?: Partial<DiffOptions>) => Promise<DiffReport>;
  readonly diffOptions: () => Promise<DiffOptions>;
  readonly stream: ReplicaStream;
}

const HOUR_MS = 3_600_000;

/** What becomes of rows that are changed once a diff has found both sides equal. */
export function rowsChangedSince(pair: Pair): void {
  const { make, caughtUp, diff, stream } = pair;

  async function again(
    refreshed: Refreshed,
    options: {
      readonly keylessAgeMaxMs?: number;
      readonly reverse?: boolean;
      readonly limits?: DiffOptions["limits"];
      /** Ends the round once the first keys are compared. */
      readonly abort?: AbortController;
    } = {},
  ): Promise<RoundOutcome & { readonly seen: readonly string[]; readonly compared: number }> {
    const forward = await pair.diffOptions();
    const [home, other] = options.reverse === true ? [forward.other, forward.home] : [forward.home, forward.other];
    let compared = 0;
    try {
      const outcome = await refreshRound(summaryOf(refreshed), {
        direction: options.reverse === true ? "reverse" : "forward",
        diff: {
          ...forward,
          ...{ home, other, direction: options.reverse === true ? "reverse" : "forward" },
          limits: { lookAgainMs: 5, ...options.limits },
          ...(options.abort === undefined ? {} : { signal: options.abort.signal }),
        },
        otherUuid: "",
        keylessAgeMaxMs: options.keylessAgeMaxMs ?? HOUR_MS,
        onKeys: (_, some) => {
          compared += some;
          if (compared > 0) options.abort?.abort();
        },
      });
      const seen = outcome.found.flatMap(({ samples }) => samples.map(({ table, key }) => `${table} ${key}`)).sort();
      return { ...outcome, seen, compared };
    } finally {
      await stream.continued;
    }
  }

  async function clean(options?: Partial<DiffOptions>): Promise<Refreshed> {
    const { differences, verifiedAt, otherAt = "", verifiedTime } = await diff(options);
    expect(differences).toBe(0);
    return { source: verifiedAt, target: otherAt, time: verifiedTime };
  }

  const onHome = (sql: string): Promise<unknown> => pair.servers().home.root(sql);
  const onOther = (sql: string): Promise<unknown> => pair.servers().other.root(`SET sql_mode = ''; ${sql}`);
  /** Past every log. */
  const unseen = (sql: string): Promise<unknown> => onOther(`SET sql_log_bin = 0; ${sql}`);

  describe("rows that are changed after a diff", () => {
    test("are compared again, whoever has changed them on whichever side; what no log has is not seen until then", async () => {
      await make(
        "n",
        "id INT PRIMARY KEY, v INT, w INT",
        "VALUES (1,1,1), (2,2,2), (3,3,3), (4,4,4), (5,5,5), (6,6,6)",
      );
      let fresh = await clean();
      await onHome(
        "UPDATE t.n SET v = 7 WHERE id = 1; DELETE FROM t.n WHERE id = 2; INSERT INTO t.n VALUES (8,8,8); UPDATE t.n SET id = 9 WHERE id = 3",
      );
      await caughtUp();
      await unseen("UPDATE t.n SET w = 0 WHERE id = 4");
      const round = await again(fresh);
      // 1, 2, 8, and the former and the present key of 3.
      expect(round).toMatchObject({ seen: [], keys: 5, compared: 5 });
      fresh = round.refreshed;
      const [executed] = await pair.servers().home.root("SELECT @@global.gtid_executed AS g");
      expect(fresh.source).toBe(executed?.["g"]?.replaceAll("\n", ""));
      expect((await again(fresh)).keys).toBe(0);
      await onOther("UPDATE t.n SET v = 0 WHERE id = 5; DELETE FROM t.n WHERE id = 6; INSERT INTO t.n VALUES (10,1,1)");
      const strays = await again(fresh);
      expect(strays.seen).toEqual(["t.n id=10", "t.n id=5", "t.n id=6"]);
      expect(strays.found[0]?.keys).toHaveLength(3);
      // In the image before there was another row; a replica finds it by its key all the same.
      await onHome("UPDATE t.n SET v = 1 WHERE id = 4");
      await caughtUp();
      await onOther("REPLACE INTO t.n VALUES (5,5,5), (6,6,6); DELETE FROM t.n WHERE id = 10");
      await unseen("UPDATE t.n SET w = 0 WHERE id = 4");
      const touched = await again(fresh);
      expect(touched.seen).toEqual(["t.n id=4"]);
      // Which way rows flow makes no difference.
      await unseen("UPDATE t.n SET w = 4 WHERE id = 4; UPDATE t.n SET w = 0 WHERE id = 9");
      expect(await again(fresh, { reverse: true })).toMatchObject({ keys: touched.keys, seen: [] });
    });

    test("are found by keys of any type, in images that are minimal, or compressed", async () => {
      for (const [index, [columns, key, ...rows]] of KEYS.entries()) {
        const values = rows.map((row) => `(${row}, 0)`);
        await make(`k${index}`, `${columns}, v INT, PRIMARY KEY (${key})`, `VALUES ${values}`);
      }
      await make(
        "u",
        "a VARCHAR(9) NOT NULL, b TIMESTAMP(3) NOT NULL, v INT, UNIQUE KEY (a, b)",
        "VALUES ('x', '2024-03-31 02:30:00.5', 0)",
      );
      const fresh = await clean();
      const tables = [...KEYS.keys()].map((index) => `k${index}`).concat("u");
      const rows = KEYS.reduce((sum, [, , ...some]) => sum + some.length, 1);
      const ways = ["binlog_row_image = MINIMAL", "binlog_transaction_compression = ON"];
      for (const [turn, way] of ways.entries()) {
        await onOther(
          `SET SESSION ${way}; BEGIN; ${tables.map((name) => `UPDATE t.${name} SET v = ${turn + 1}`).join(";")}; COMMIT`,
        );
        const round = await again(fresh);
        expect([round.keys, round.seen.length], way).toEqual([rows, rows]);
        await unseen(tables.map((name) => `UPDATE t.${name} SET v = 0`).join(";"));
      }
      const level = await again(fresh);
      expect(level).toMatchObject({ keys: rows, seen: [] });
    }, 60_000);

    test("behind the key that a long diff has come to do not escape it", async () => {
      await make("long", "id INT PRIMARY KEY, v INT", "VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0)");
      let kept = 0;
      const fresh = await clean({
        limits: { sliceMaxMs: 0, keepEveryMs: 0 },
        keeper: { load: async () => new Map(), keep: async () => undefined, forget: async () => undefined },
        failpoint: async (point) => {
          if (point === "diff-after-range-kept" && ++kept === 4) await onOther("UPDATE t.long SET v = 1 WHERE id = 3");
        },
      });
      expect(kept).toBeGreaterThan(4);
      expect((await again(fresh)).seen).toEqual(["t.long id=3"]);
    });

    test("in a table without a key are named, and the table is compared whole before the gate would close", async () => {
      await make("heap", "a INT, b INT", "VALUES (1, 1), (1, 1), (2, 2)");
      await make("keyed", "id INT PRIMARY KEY", "VALUES (1)");
      const fresh = await clean();
      await onOther("UPDATE t.heap SET b = 3 WHERE a = 1 LIMIT 1");
      await onHome("INSERT INTO t.keyed VALUES (2)");
      const named = await again(fresh);
      expect(named).toMatchObject({ seen: [], refreshed: { behind: { "t.heap": fresh.time } } });
      expect(refreshedTo(summaryOf(fresh), "forward", named.refreshed).verifiedTime).toBe(fresh.time);
      const whole = await again(named.refreshed, { keylessAgeMaxMs: 0 });
      expect(whole.found).toMatchObject([{ table: "t.heap", differences: 2, complete: true }]);
      expect(whole.refreshed.behind).toBeUndefined();
    });

    test.each([
      ["TRUNCATE TABLE t.n", /it concerns t\.n: TRUNCATE/],
      ["ALTER TABLE t.n ADD COLUMN w INT", /w is missing on the home/],
      ["ALTER TABLE t.n ADD KEY (v)", /it concerns t\.n: ALTER/],
      [
        "SET SESSION binlog_format = STATEMENT; UPDATE t.n SET v = 2 WHERE id = 1",
        /it concerns t\.n: rows as a statement$/,
      ],
      ["SET SESSION binlog_format = STATEMENT; INSERT INTO t.n (v) VALUES (2)", /cannot be followed.*transaction /],
      ["XA START 'x'; UPDATE t.n SET v = 2; XA END 'x'; XA PREPARE 'x'; XA ROLLBACK 'x'", /only prepared/],
    ])("cannot be told after %s, which is said", async (sql, why) => {
      await make("n", "id INT PRIMARY KEY AUTO_INCREMENT, v INT", "VALUES (1, 1)");
      const fresh = await clean();
      await onOther(sql);
      const { stopped } = await again(fresh);
      expect(stopped?.server).toMatch(/^other$|either/);
      expect(stopped?.why).toMatch(why);
    });

    test("by an XA transaction that was prepared before the diff are no log's to tell: it is not compared again", async () => {
      await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
      await make("m", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
      await caughtUp();
      await onOther("XA START 'x'; UPDATE t.n SET v = 2; XA END 'x'; XA PREPARE 'x'");
      const prepared = diff();
      await prepared.catch(() => undefined);
      await onOther("XA COMMIT 'x'");
      const { differences, otherAt, tables } = await prepared;
      expect([differences, otherAt, tables.map((one) => one.otherAt === undefined)]).toEqual([
        0,
        undefined,
        [true, false],
      ]);
      expect(await diff()).toMatchObject({ differences: 1, otherAt: expect.any(String) });
    });

    test("on a server that was put back to what it was before are not known, though it gives the same numbers again", async () => {
      await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
      const fresh = await clean();
      const [server] = await pair.servers().other.root("SELECT @@server_uuid AS uuid");
      const after = GtidSet.parse(fresh.target).union(GtidSet.parse(`${server?.["uuid"]}:900001-900005`));
      const { stopped } = await again({ ...fresh, target: after.toString() });
      expect(stopped).toMatchObject({ server: "other", why: expect.stringMatching(/put back/) });
    });

    test.each(["is given up", "cannot lock the next table"])(
      "and differ are told of by a round that %s",
      async (how) => {
        await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
        await make("o", "id INT PRIMARY KEY, v INT", "VALUES (1, 1), (2, 2)");
        const fresh = await clean();
        await onOther("UPDATE t.n SET v = 2; UPDATE t.o SET v = 2 WHERE id = 1");
        const writer = await Connection.connect(pair.servers().home.endpoint("app", "a"));
        try {
          await writer.query("BEGIN");
          await writer.query("UPDATE t.o SET v = 3 WHERE id = 2");
          const limits = { lockWaitMs: 50, lockAttempts: 1, lockRounds: 1 };
          const abort = how === "is given up" ? { abort: new AbortController() } : {};
          const { seen, refreshed } = await again(fresh, { limits, ...abort });
          expect(seen).toEqual(["t.n id=1"]);
          expect(refreshed).toEqual(fresh);
        } finally {
          await writer.close();
        }
      },
    );

    test("are read to the end on a server that ends long statements, and in transactions of their own", async () => {
      await onHome("SET GLOBAL max_execution_time = 5, GLOBAL autocommit = 0");
      try {
        const options = await pair.diffOptions();
        const side = await connectSide(options.home, options);
        await expect(side.one("SELECT SLEEP(0.1) AS ended, @@autocommit AS alone")).resolves.toEqual({
          ended: "0",
          alone: "1",
        });
        await side.close();
      } finally {
        await onHome("SET GLOBAL max_execution_time = 0, GLOBAL autocommit = 1");
      }
    });

    test("are all compared, more of them than one statement or one part of a log takes", async () => {
      const numbers =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450) SELECT i, 0 FROM n";
      await make("many", "id INT PRIMARY KEY, v INT", numbers);
      const options = await pair.diffOptions();
      const fresh = await clean();
      await onOther(
        `BEGIN; ${[0, 1, 2, 3, 4].map((one) => `UPDATE t.many SET v = 1 WHERE id > ${one * 90} AND id <= ${one * 90 + 90}`).join(";")}; COMMIT`,
      );
      const side = await connectSide(options.other, options);
      const upTo = GtidSet.parse(await readExecuted(side));
      await unseen("UPDATE t.many SET v = 0 WHERE id NOT IN (1, 200, 201, 450)");
      const ids = [1, 200, 201, 450].map((id) => `t.many id=${id}`);
      expect(await again(fresh)).toMatchObject({ keys: 450, compared: 450, seen: ids });

      const name = { schema: "t", table: "many" };
      const shape = await readTableShape(side, name);
      const from = GtidSet.parse(fresh.target);
      await side.close();
      const log = await TouchedRows.open({
        ...{ name: { migration: "m", direction: "forward" }, endpoint: options.other, end: "target", serverUuid: "" },
        ...{
          tables: [{ name, carried: alike(shape) }],
          from,
          upTo,
          rowsMax: 100,
          bytesMax: 1e9,
          signal: options.signal,
        },
      });
      const parts: TouchedBatch[] = [];
      while (parts.at(-1)?.done !== true) parts.push(await log.next());
      log.close();
      const rows = parts.map((part) => part.rows.get("t.many") ?? []);
      expect(rows.map(({ length }) => length)).toEqual([180, 180, 90]);
      expect(new Set(rows.flat().map(({ here }) => here)).size).toBe(450);
      // Its rows are there from the first part on; all of it has been read with the last.
      expect(parts.map(({ through, visible }) => [through.contains(upTo), visible.contains(upTo)])).toEqual([
        ...[
          [false, true],
          [false, true],
        ],
        [true, true],
      ]);
    });

    test("are told from a log that is purged by an error, never passed over", async () => {
      await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
      const fresh = await clean();
      await onOther("UPDATE t.n SET v = 2; FLUSH BINARY LOGS");
      const [last] = await pair.servers().other.root("SHOW BINARY LOG STATUS");
      await onOther(`PURGE BINARY LOGS TO '${last?.["File"]}'`);
      await expect(again(fresh)).rejects.toMatchObject({ errno: 1236 });
    });

    test("all the time, by clients, are never taken for differences", async () => {
      await make("hot", "id INT PRIMARY KEY, v INT", "VALUES (1, 0), (2, 0), (3, 0), (4, 0)");
      let fresh = await clean();
      const writer = await Connection.connect(pair.servers().home.endpoint("app", "a"));
      let stop = false;
      const writing = (async () => {
        for (let turn = 0; !stop; turn++) await writer.query(`UPDATE t.hot SET v = v + 1 WHERE id = ${1 + (turn % 3)}`);
      })();
      try {
        for (let round = 0; round < 3; round++) {
          const { seen, refreshed, keys } = await again(fresh);
          expect(seen).toEqual([]);
          expect(keys).toBeGreaterThan(0);
          fresh = refreshed;
        }
        await onOther("UPDATE t.hot SET v = -1 WHERE id = 4");
        expect((await again(fresh)).seen).toEqual(["t.hot id=4"]);
      } finally {
        stop = true;
        await writing;
        await writer.close();
      }
    });
  });
}

function summaryOf(refreshed: Refreshed): DiffSummary & { readonly refreshed: Refreshed } {
  const { source: verifiedAt, time: verifiedTime } = refreshed;
  return {
    direction: "forward",
    finishedAt: verifiedTime,
    verifiedAt,
    verifiedTime,
    rows: 0,
    differences: 0,
    refreshed,
  };
}
