import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CarriedDdl } from "../../src/replication/ddl-carrier.ts";
import { DdlStop } from "../../src/replication/ddl-stop.ts";
import {
  executedOn,
  type OpenedStream,
  type OpenOptions,
  openStream,
  settled,
  untilRunning,
} from "../integration/replication/stream-bench.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";

let ends: { readonly source: TestServer; readonly target: TestServer };
const streams: OpenedStream[] = [];
let sequence = 0;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  for (const one of streams.splice(0)) await one.stream.close();
});

class Moving {
  readonly schema = `ddl${++sequence}`;
  readonly table = `${this.schema}.t`;
  readonly seen: CarriedDdl[] = [];
  opened!: OpenedStream;

  async open(options: OpenOptions = {}): Promise<this> {
    const onDdlSeen = async (ddl: CarriedDdl): Promise<void> => void this.seen.push(ddl);
    this.opened = await openStream(ends, [this.table], { migration: this.schema, onDdlSeen, ...options });
    streams.push(this.opened);
    return this;
  }

  async begin(options: OpenOptions = {}): Promise<this> {
    await this.run(
      "source",
      `CREATE DATABASE $s; CREATE TABLE $t (id INT PRIMARY KEY, v VARCHAR(40), n INT);
      INSERT INTO $t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, CONCAT('v', i), i FROM n`,
    );
    await this.open(options);
    await untilRunning(this.opened);
    return this;
  }

  async run(on: "source" | "target", sql: string): Promise<void> {
    await ends[on].root(sql.replaceAll("$t", this.table).replaceAll("$s", this.schema));
  }

  /** Both servers' own word for it: of the rows, and of every column. */
  async equal(): Promise<void> {
    const { source, target } = await settled(ends, this.opened, [this.table]);
    expect(target).toEqual(source);
    expect(await this.columns("target")).toEqual(await this.columns("source"));
    expect(this.opened.stream.status().drift).toBe(0);
  }

  columns(on: "source" | "target"): Promise<unknown> {
    return ends[on].root(
      `SELECT column_name, column_type, is_nullable, column_default, collation_name, extra FROM information_schema.columns WHERE table_schema = '${this.schema}' AND table_name = 't' ORDER BY ordinal_position`,
    );
  }

  async stop(): Promise<DdlStop> {
    const error = await this.opened.ended;
    expect(error, String(error)).toBeInstanceOf(DdlStop);
    return error as DdlStop;
  }
}

/** DDL between writes; each row after it can be read only by the columns that hold then. */
const RESHAPING = `UPDATE $t SET n = 100 WHERE id = 1; ALTER TABLE $t ADD COLUMN w INT NOT NULL DEFAULT 7 AFTER id;
  INSERT INTO $t (id, w, v, n) VALUES (101, 1, 'one', 1); ALTER TABLE $t RENAME COLUMN n TO m, RENAME COLUMN w TO n, ADD KEY k (m);
  UPDATE $t SET n = 3 WHERE id = 2; INSERT INTO $t (id, n, v, m) VALUES (102, 2, 'two', 22); ALTER TABLE $t DROP COLUMN m, MODIFY v VARBINARY(60);
  INSERT INTO $t (id, n, v) VALUES (103, 3, x'ff'); TRUNCATE TABLE $t; INSERT INTO $t (id, n, v) VALUES (104, 4, 'four')`;

describe("DDL that is applied", () => {
  test("comes in its place between the rows, each read by the columns of its moment", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run("source", RESHAPING);
    await moving.equal();
    expect(moving.seen.map(({ how }) => how)).toEqual(["applied", "applied", "applied", "applied"]);
    expect(moving.opened.stream.status().ddl).toBe(4);
  });

  test("is read so by a stream that comes late, and by one that was restarted in between", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.opened.stream.close();
    await moving.run("source", RESHAPING);
    await moving.open({ onDdl: () => "apply" });
    await moving.equal();
    await moving.opened.stream.close();
    await moving.open({ onDdl: () => "apply" });
    await moving.run("source", "UPDATE $t SET v = 'again'");
    await moving.equal();
  });

  test("means what the session meant in which it was run", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run(
      "source",
      `USE $s; SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+05:00', timestamp = 1700000000.123456;
      ALTER TABLE "t" ADD COLUMN a DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), ADD COLUMN b TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP, ADD COLUMN "q""c" CHAR(3) NOT NULL;
      SET SESSION sql_mode = '', timestamp = DEFAULT; ALTER TABLE t MODIFY v VARCHAR(2), MODIFY n TINYINT UNSIGNED NOT NULL;
      SET NAMES latin1; ALTER TABLE t ADD COLUMN e ENUM('x','\\'y') DEFAULT 'x'; CREATE UNIQUE INDEX u ON t (id, v) COMMENT 'x'; DROP INDEX u ON t;
      SET NAMES utf8mb4; ALTER TABLE t ADD COLUMN é ENUM('é','ü') DEFAULT 'ü'; INSERT INTO t (id, n) VALUES (200, 3)`,
    );
    await moving.equal();
  });

  test.each(["ddl-before-statement", "ddl-after-statement"])(
    "survives the death of its process at %s",
    async (point) => {
      // 1. the intention is written; 2. the process dies before or after the statement; 3. another one comes and asks the table.
      const died = new Error("died");
      const moving = await new Moving().begin({
        onDdl: () => "apply",
        failpoint: (at) => (at === point ? Promise.reject(died) : Promise.resolve()),
      });
      await moving.run(
        "source",
        "UPDATE $t SET n = 5; ALTER TABLE $t ADD COLUMN w INT DEFAULT 7 FIRST; UPDATE $t SET w = 8 WHERE id = 9",
      );
      expect(await moving.opened.ended).toBe(died);
      expect(JSON.stringify(await moving.columns("target")).includes('"w"')).toBe(point === "ddl-after-statement");
      await moving.open({ onDdl: () => "apply" });
      await moving.equal();
      expect(await ends.target.root(`SELECT * FROM _switchyard.ddl WHERE migration = '${moving.schema}'`)).toEqual([]);
    },
  );

  test("is not guessed at where the table has become something else meanwhile", async () => {
    const moving = await new Moving().begin({
      onDdl: () => "apply",
      failpoint: (at) => (at === "ddl-after-statement" ? Promise.reject(new Error("died")) : Promise.resolve()),
    });
    await moving.run("source", "ALTER TABLE $t ADD COLUMN w INT DEFAULT 7 FIRST; UPDATE $t SET w = 8 WHERE id = 9");
    await moving.opened.ended;
    await moving.run("target", "ALTER TABLE $t ADD COLUMN other INT");
    await moving.open({ onDdl: () => "apply" });
    const { code, gtid } = await moving.stop();
    expect(code).toBe("REPLICATION_DDL_UNCERTAIN");
    await moving.run("target", "ALTER TABLE $t DROP COLUMN other");
    await moving.open({ afterDdl: gtid });
    await moving.equal();
  });

  test("stops where the target refuses it, or is not what the source was", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run("target", "ALTER TABLE $t ADD COLUMN w INT");
    await moving.run(
      "source",
      "UPDATE $t SET n = 5; ALTER TABLE $t ADD COLUMN w BIGINT; UPDATE $t SET w = 8 WHERE id = 9",
    );
    const stopped = await moving.stop();
    expect(stopped.message).toContain("REPLICATION_DDL_FAILED");
    expect(stopped.message).toContain("Duplicate column");
    await moving.open({ afterDdl: stopped.gtid });
    expect((await moving.stop()).message).toContain(
      `column w of ${moving.table} would be bigint on the source, and on the target it is int`,
    );
    await moving.run("target", "ALTER TABLE $t MODIFY w BIGINT");
    await moving.open({ afterDdl: stopped.gtid });
    await moving.equal();
  });

  test.each([
    [
      "SET time_zone = 'SYSTEM'; ALTER TABLE $t ADD d DATETIME DEFAULT '2024-07-01 12:00:00'; ALTER TABLE $t CHANGE d e TIMESTAMP NULL",
      "TIMESTAMP",
    ],
    ["SET time_zone = 'SYSTEM'; ALTER TABLE $t ADD d TIMESTAMP DEFAULT '2024-07-01 12:00:00'", "own zone"],
    [
      "ALTER TABLE $t DROP PRIMARY KEY, ADD PRIMARY KEY (id, n), MODIFY n INT AUTO_INCREMENT, ADD KEY (n)",
      "number rows",
    ],
    ["ALTER TABLE $t ADD m INT; ALTER TABLE $t CHANGE n m INT, CHANGE m n INT AFTER v", "moves values"],
    ["ALTER TABLE $t ADD m INT AFTER n; ALTER TABLE $t DROP n, RENAME COLUMN m TO n, ADD m INT", "moves values"],
  ])("stops where the target would give rows something else: %s", async (sql, why) => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run("source", sql);
    const stopped = await moving.stop();
    expect(stopped.code).toBe("REPLICATION_DDL_FAILED");
    expect(stopped.message).toContain(why);
    await moving.run("target", sql.split("; ").at(-1) ?? "");
    await moving.open({ onDdl: () => "apply", afterDdl: stopped.gtid });
    await moving.opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 20_000 });
    expect(await moving.columns("target")).toEqual(await moving.columns("source"));
  });

  test("converts times of a zone that both servers have", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run(
      "source",
      `SET time_zone = '-03:00'; ALTER TABLE $t ADD d DATETIME DEFAULT '2024-07-01 12:00:00'; ALTER TABLE $t CHANGE d e TIMESTAMP NULL;
      ALTER TABLE $t ADD f TIMESTAMP DEFAULT '2024-07-01 12:00:00'`,
    );
    await moving.equal();
  });

  test("keeps apart what the server names by itself", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    await moving.run(
      "source",
      `ALTER TABLE $t ADD CHECK (n > -5); ALTER TABLE $t ADD CHECK (n > -6), ADD CHECK (n > -7); ALTER TABLE $t DROP CHECK t_chk_3, ADD CHECK (n > -8);
      ALTER TABLE $t DROP CHECK t_chk_2; ALTER TABLE $t ADD KEY k (n); INSERT INTO $t VALUES (90, 'x', -4)`,
    );
    await moving.equal();
    const [source, target] = await Promise.all(
      [ends.source, ends.target].map((server) => server.root(`SHOW CREATE TABLE ${moving.table}`)),
    );
    expect(target).toEqual(source);
  });

  test("is held by a stop at a position before it, and let go after", async () => {
    const moving = await new Moving().begin({ onDdl: () => "apply" });
    const { stream } = moving.opened;
    await moving.run("source", "UPDATE $t SET n = 5");
    const position = await executedOn(ends.source);
    await stream.pauseIntake();
    await moving.run("source", "ALTER TABLE $t ADD COLUMN w INT DEFAULT 7; UPDATE $t SET w = 8 WHERE id = 9");
    await stream.stopAt(position, { timeoutMs: 20_000 });
    expect(JSON.stringify(await moving.columns("target"))).not.toContain('"w"');
    stream.continue();
    await moving.equal();
  });
});

describe("DDL that is passed over", () => {
  test("changes nothing on the target, where rows go on as long as all their columns are there", async () => {
    const moving = await new Moving().begin({ onDdl: () => "ignore" });
    const before = await moving.columns("target");
    await moving.run(
      "source",
      `ALTER TABLE $t ADD KEY k (n), COMMENT 'x'; ALTER TABLE $t MODIFY COLUMN v VARCHAR(40) AFTER n; UPDATE $t SET v = 'moved', n = 70 WHERE id = 1;
      CREATE TRIGGER $s.trg BEFORE INSERT ON $t FOR EACH ROW SET NEW.n = 1; INSERT INTO $t (id, v, n) VALUES (60, 'x', 9);
      ALTER TABLE $t DROP COLUMN n; DROP TRIGGER $s.trg; INSERT INTO $t (id, v) VALUES (61, 'y')`,
    );
    await moving.opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 20_000 });
    expect(await moving.columns("target")).toEqual(before);
    expect(await ends.target.root(`SELECT id, v, n FROM ${moving.table} WHERE id IN (1, 60, 61)`)).toEqual([
      { id: "1", v: "moved", n: "70" },
      { id: "60", v: "x", n: "1" },
      { id: "61", v: "y", n: null },
    ]);
    expect(moving.opened.stream.status().ddl).toBe(4);
  });

  test("stops at the first row with a column that the target does not have", async () => {
    const moving = await new Moving().begin({ onDdl: () => "ignore" });
    await moving.run("source", "ALTER TABLE $t ADD COLUMN w INT; UPDATE $t SET w = 8 WHERE id = 9");
    expect(String(await moving.opened.ended)).toContain(
      `REPLICATION_COLUMN_MISSING: rows of ${moving.table} come with column w`,
    );
    await moving.run("target", "ALTER TABLE $t ADD COLUMN w INT");
    await moving.open({ onDdl: () => "ignore" });
    await moving.equal();
  });

  test.each(["TRUNCATE TABLE $t", "RENAME TABLE $t TO $s.gone"])("does not take rows with it: %s", async (sql) => {
    const moving = await new Moving().begin({ onDdl: () => "ignore" });
    await moving.run("source", sql);
    expect((await moving.stop()).code).toBe("REPLICATION_STATEMENT_SEEN");
  });
});

describe("DDL that is passed over while rows are copied", () => {
  test("ends neither the catch-up that keys wait for, nor brings rows of a snapshot twice", async () => {
    const moving = new Moving();
    const other = `${moving.schema}.u`;
    await moving.run(
      "source",
      "CREATE DATABASE $s; CREATE TABLE $t (id INT PRIMARY KEY, v VARCHAR(40), n INT); CREATE TABLE $s.u (a INT); INSERT INTO $t VALUES (1, 'a', 1); INSERT INTO $s.u VALUES (1)",
    );
    // 1. t has its snapshot; 2. a trigger, and rows without a key, come before the snapshot of u.
    let between: Promise<void> | undefined;
    moving.opened = await openStream(ends, [moving.table, other], {
      migration: moving.schema,
      onDdl: () => "ignore",
      limits: { copyReaders: 1 },
      failpoint: async (at) => {
        if (at !== "copy-after-snapshot") return;
        between ??= moving.run(
          "source",
          "CREATE TRIGGER $s.trg BEFORE INSERT ON $s.u FOR EACH ROW SET NEW.a = NEW.a + 1; INSERT INTO $s.u VALUES (10), (20)",
        );
        await between;
      },
    });
    streams.push(moving.opened);
    await untilRunning(moving.opened);
    await moving.run("source", "INSERT INTO $s.u VALUES (30)");
    const { source, target } = await settled(ends, moving.opened, [moving.table, other]);
    expect(target).toEqual(source);
    expect(moving.opened.stream.status().ddl).toBe(1);
  });
});

describe("DDL that stops the stream", () => {
  test("lets it go on once somebody has said that the target is level, for this statement alone", async () => {
    const moving = await new Moving().begin();
    await moving.run(
      "source",
      "UPDATE $t SET n = 5; ALTER TABLE $t ADD COLUMN w INT; UPDATE $t SET w = 8 WHERE id = 9; TRUNCATE TABLE $t; INSERT INTO $t VALUES (1, 'a', 2, 3)",
    );
    const first = await moving.stop();
    expect(first.message).toContain(`migration resume ${moving.schema} --after-ddl ${first.gtid}`);
    await moving.open({ afterDdl: first.gtid });
    expect((await moving.stop()).message).toContain(`column w of ${moving.table}`);
    await moving.run("target", "ALTER TABLE $t ADD COLUMN w INT");
    await moving.open({ afterDdl: first.gtid });
    const second = await moving.stop();
    expect(second.gtid).not.toBe(first.gtid);
    await moving.run("target", "TRUNCATE TABLE $t");
    await moving.open({ afterDdl: second.gtid });
    await moving.equal();
  });

  test.each([
    ["SET NAMES latin1; ALTER TABLE $t ADD COLUMN w INT COMMENT 'ä'; SET NAMES utf8mb4", "text that is not in UTF-8"],
    ["ALTER TABLE $t ADD COLUMN w INT", "a table of which the record says otherwise"],
  ])("lets it go on where the statement cannot be tried: %s", async (sql) => {
    const moving = await new Moving().begin();
    // What the record lacks or has too much makes the trial fail.
    await ends.target.root(
      "UPDATE _switchyard.shape SET definition = REPLACE(definition, '`v` varchar', '`w` int, `v` varchar') " +
        `WHERE migration = '${moving.schema}'`,
    );
    await moving.opened.stream.close();
    await moving.open();
    await moving.run("source", sql);
    const stopped = await moving.stop();
    const [row] = await ends.source.root(`SHOW CREATE TABLE ${moving.table}`);
    await moving.run(
      "target",
      `DROP TABLE $t; USE $s; ${row?.["Create Table"]}; INSERT INTO $t (id, v, n) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, CONCAT('v', i), i FROM n`,
    );
    await moving.open({ afterDdl: stopped.gtid });
    await moving.run("source", "UPDATE $t SET n = 5 WHERE id = 3");
    await moving.equal();
  });

  test.each([
    ["DROP TABLE $t", "it is dropped"],
    ["DROP DATABASE $s", "its schema is dropped"],
    ["CREATE INDEX i ON $t (n)", "a key is added"],
    ["CREATE TABLE $s.child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES $t (id))", "a foreign key arrives"],
    ["USE $s; ALTER TABLE t ADD COLUMN y INT", "it is named without its schema"],
  ])("is %s: %s", async (sql) => {
    const moving = await new Moving().begin();
    await moving.run("source", sql);
    expect((await moving.stop()).code).toBe("REPLICATION_STATEMENT_SEEN");
  });

  test("comes behind the copy, and is applied before the first row behind it", async () => {
    const moving = new Moving();
    await moving.run(
      "source",
      `CREATE DATABASE $s; CREATE TABLE $t (id INT PRIMARY KEY, v VARCHAR(40), n INT); INSERT INTO $t VALUES (1, 'a', 1)`,
    );
    let altered: Promise<void> | undefined;
    await moving.open({
      onDdl: () => "apply",
      failpoint: async (at) => {
        if (at !== "copy-before-keys") return;
        altered ??= moving.run("source", "ALTER TABLE $t ADD COLUMN w INT");
        await altered;
      },
    });
    await untilRunning(moving.opened).catch(() => undefined);
    await altered;
    // It came when all was copied and no key was there yet: it is met behind the keys, and applied.
    await moving.equal();
  });
});

describe("tools that change definitions without locks", () => {
  const GHOST = `CREATE TABLE $s._t_gho LIKE $t; ALTER TABLE $s._t_gho ADD COLUMN w INT DEFAULT 7; CREATE TABLE $s._t_ghc (id INT PRIMARY KEY);
    INSERT IGNORE INTO $s._t_gho (id, v, n) SELECT id, v, n FROM $t; CREATE TABLE $s._t_del (id INT PRIMARY KEY); DROP TABLE $s._t_del;
    rename /* gh-ost */ table $t to $s._t_del, $s._t_gho to $t; UPDATE $t SET w = 8 WHERE id = 1`;
  const PT = `CREATE TABLE $s._t_new LIKE $t; ALTER TABLE $s._t_new ADD COLUMN w INT DEFAULT 7;
    CREATE TRIGGER $s.pt_osc_x_t_del AFTER DELETE ON $t FOR EACH ROW DELETE IGNORE FROM $s._t_new WHERE id <=> OLD.id;
    CREATE TRIGGER $s.pt_osc_x_t_ins AFTER INSERT ON $t FOR EACH ROW REPLACE INTO $s._t_new (id, v, n) VALUES (NEW.id, NEW.v, NEW.n);
    INSERT IGNORE INTO $s._t_new (id, v, n) SELECT id, v, n FROM $t LOCK IN SHARE MODE; INSERT INTO $t VALUES (70, 'late', 1);
    RENAME TABLE $t TO $s._t_old, $s._t_new TO $t; DROP TRIGGER $s.pt_osc_x_t_del; DROP TRIGGER $s.pt_osc_x_t_ins; UPDATE $t SET w = 8 WHERE id = 1`;

  test.each([
    ["gh-ost", GHOST, "stop", 1],
    ["gh-ost", GHOST, "apply", 1],
    ["pt-online-schema-change", PT, "stop", 3],
    ["pt-online-schema-change", PT, "ignore", 1],
  ] as const)("%s is named, and gone on after", async (tool, sql, policy, stops) => {
    const moving = await new Moving().begin({ onDdl: () => policy });
    await moving.run("source", sql);
    let stopped = await moving.stop();
    for (let i = 1; i < stops; i++) {
      expect(stopped.message).toContain(tool);
      await moving.open({ onDdl: () => policy, afterDdl: stopped.gtid });
      stopped = await moving.stop();
    }
    expect(stopped.message).toContain(`${tool}`);
    expect(stopped.message).toContain("Run on the target the ALTER TABLE that it was given");
    await moving.run("target", "ALTER TABLE $t ADD COLUMN w INT DEFAULT 7");
    await moving.open({ onDdl: () => policy, afterDdl: stopped.gtid });
    await moving.equal();
  });
});
