import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { explain } from "../../../src/cli/explain-command.ts";
import { openAdmin } from "../../../src/mysql/admin-connection.ts";
import { DefinitionsOfServer } from "../../../src/preflight/read-behind.ts";
import { ServerView } from "../../../src/preflight/server-view.ts";
import type { NamesBehind } from "../../../src/rules/rules-document.ts";
import { withBehind, withTable } from "../../../src/rules/rules-edits.ts";
import { readRules } from "../../../src/rules/rules-store.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { abort, arm, type Harness, hold, PASSWORD, seed, startHarness, TOKEN, USER } from "./proxy-harness.ts";
import {
  ANSI,
  ASSIGNMENTS,
  CALLS,
  DEFINITIONS,
  FILES,
  HINTS,
  IGNORED_HINTS,
  NAMES_BEHIND,
  READS,
  type RoutingCase,
  WRITES,
} from "./routing-cases.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let file: string;

/** What stands behind names. */
const BEHIND = `
  USE shop;
  CREATE TABLE loud LIKE other; CREATE TABLE quiet LIKE other; CREATE TABLE torn LIKE other;
  CREATE VIEW seen AS SELECT id, note FROM orders; CREATE VIEW above AS SELECT id FROM seen;
  CREATE VIEW calm AS SELECT id FROM other; CREATE VIEW spoken AS SELECT id, 'it''s -- \\' ''' AS said FROM orders; CREATE VIEW mixed AS SELECT id FROM orders JOIN other USING (id);
  CREATE FUNCTION newest() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM orders);
  CREATE VIEW by_function AS SELECT newest() AS id;
  CREATE FUNCTION last_of_other() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM other);
  CREATE FUNCTION harmless(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;
  CREATE PROCEDURE reads_other() SELECT COUNT(*) FROM other;
  CREATE PROCEDURE nothing() BEGIN END;
  CREATE PROCEDURE adds_order(n VARCHAR(9)) BEGIN INSERT INTO orders (note) VALUES (n); END;
  CREATE PROCEDURE quoting() BEGIN DECLARE x TEXT DEFAULT 'it''s -- '; INSERT INTO orders (note) VALUES ('e'); END;
  CREATE PROCEDURE calls_another(n VARCHAR(9)) CALL adds_order(n);
  CREATE PROCEDURE both_homes() BEGIN SELECT 1 FROM orders; SELECT 1 FROM other; END;
  CREATE PROCEDURE remembers(OUT n INT) BEGIN SELECT COUNT(*) INTO n FROM other; SET @seen = n + 41.5; END;
  CREATE FUNCTION remembered(x INT) RETURNS INT NO SQL BEGIN SET @given = x; RETURN x; END;
  CREATE PROCEDURE keeps() CREATE TEMPORARY TABLE kept (id INT);
  CREATE PROCEDURE dynamic() BEGIN PREPARE s FROM 'SELECT 1'; EXECUTE s; END;
  CREATE TABLE marked LIKE other; CREATE TRIGGER mark BEFORE INSERT ON marked FOR EACH ROW SET @marked = NEW.note;
  CREATE TRIGGER tell AFTER INSERT ON loud FOR EACH ROW INSERT INTO items (note) VALUES (NEW.note);
  CREATE TRIGGER stay BEFORE INSERT ON quiet FOR EACH ROW SET NEW.note = (SELECT MAX(note) FROM other);
  CREATE TRIGGER tear AFTER INSERT ON torn FOR EACH ROW INSERT INTO orders (note) VALUES (NEW.note);`;

/** Both servers have every table, and log each statement that they get: what a server has executed is its own word. */
beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of Object.values(servers)) {
    await server.root(`
      GRANT FILE ON *.* TO app@'%'; GRANT ALL ON plain.* TO app@'%';
      CREATE USER guest@'%' IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON shop.* TO guest@'%';
      CREATE TABLE shop.items LIKE shop.other; CREATE TABLE shop.third LIKE shop.other;
      CREATE DATABASE plain; CREATE TABLE plain.orders LIKE shop.other;
      SET GLOBAL log_bin_trust_function_creators = ON;
      ${BEHIND}
      SET GLOBAL local_infile = ON, log_output = 'TABLE', general_log = ON;
    `);
  }
  file = join(servers.old.folder, "two-lines.txt");
  await writeFile(file, "one\ntwo\n");
  harness = await startHarness(servers, { hintUsers: [USER] });
  for (const table of ["shop.orders", "shop.items", "shop.loud"])
    await harness.change((rules) => withTable(rules, table, { to: "new", migration: "orders" }));
  const ruled = ["shop.orders", "shop.items", "shop.loud"];
  const behind = { old: await ask("old", ruled), new: await ask("new", ruled) };
  await harness.change((rules) => withBehind(rules, behind));
  await harness.told((told) => told.generation === 5, "generation 5");
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** What a controller finds on a server. */
async function ask(name: "old" | "new", ruled: readonly string[]): Promise<NamesBehind> {
  const endpoint = await ownEndpoint(servers[name], "check", ["shop"]);
  const connection = await openAdmin(endpoint);
  try {
    return (await DefinitionsOfServer.read(new ServerView("source", endpoint, connection), ruled)).behind(ruled);
  } finally {
    await connection.close();
  }
}

async function using<T>(
  use: (client: mysql.Connection) => Promise<T>,
  options: mysql.ConnectionOptions = {},
): Promise<T> {
  const client = await harness.connect({ multipleStatements: true, ...options });
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}

interface Given {
  readonly executed: ReadonlySet<string>;
  readonly prepared: ReadonlySet<string>;
}

/** Which servers say that they were given statements with this mark, to execute or to prepare. */
async function givenTo(): Promise<ReadonlyMap<string, Given>> {
  const found = new Map<string, { executed: Set<string>; prepared: Set<string> }>();
  for (const [name, server] of Object.entries(servers)) {
    const rows = await server.root(
      "SELECT CAST(argument AS CHAR) AS text, CAST(command_type AS CHAR) AS command FROM mysql.general_log " +
        "WHERE command_type IN ('Query', 'Prepare', 'Execute') AND argument LIKE '%/*case %'",
    );
    for (const { text, command } of rows) {
      const mark = /\/\*case (\d+)\*\//.exec(text ?? "")?.[1] ?? "";
      const given = found.get(mark) ?? { executed: new Set(), prepared: new Set() };
      found.set(mark, given);
      given[command === "Prepare" ? "prepared" : "executed"].add(name);
    }
    await server.root("SET GLOBAL general_log = OFF; TRUNCATE mysql.general_log; SET GLOBAL general_log = ON");
  }
  return found;
}

async function errnoOf(done: Promise<unknown>): Promise<number | undefined> {
  try {
    await done;
    return undefined;
  } catch (error) {
    return (error as { errno?: number }).errno ?? -1;
  }
}

type Way = "text" | "prepared";

const textQuery = (sql: string): mysql.QueryOptions =>
  ({ sql, infileStreamFactory: () => Readable.from([Buffer.from("one\ntwo\n")]) }) as mysql.QueryOptions;

/** Runs all cases one way, and says of each where it was executed and with which error. */
async function run(client: mysql.Connection, way: Way, cases: readonly RoutingCase[]): Promise<Record<string, string>> {
  const errors: (number | undefined)[] = [];
  for (const [at, { sql, undo, hint }] of cases.entries()) {
    const ahead = hint === undefined ? "" : `/* switchyard:route=${hint} */ `;
    const marked = `${ahead}/*case ${at}*/ ${sql.replace("INFILE FILE", `INFILE '${file}'`)}`;
    errors.push(await errnoOf(way === "text" ? client.query(textQuery(marked)) : client.execute(marked)));
    if (undo !== undefined) await client.query(undo);
  }
  const places = await givenTo();
  return Object.fromEntries(
    cases.map(({ sql, why }, at) => {
      const { executed = [], prepared = [] } = places.get(String(at)) ?? {};
      // A server is asked by a prepare whether a text is SQL at all; what is refused must be executed by none.
      const servers = new Set([...executed, ...(errors[at] === 1235 ? [] : prepared)]);
      const place = servers.size === 0 ? "neither" : [...servers].join(" and ");
      return [`${why}: ${sql}`, errors[at] === undefined ? place : `${place}, error ${errors[at]}`];
    }),
  );
}

function expected(cases: readonly RoutingCase[]): Record<string, string> {
  return Object.fromEntries(
    cases.map(({ sql, why, runs, errno }) => {
      const place = errno === undefined ? runs : `${runs}, error ${errno}`;
      return [`${why}: ${sql}`, runs === "refused" ? "neither, error 1235" : place];
    }),
  );
}

const preparable = (cases: readonly RoutingCase[]): RoutingCase[] => cases.filter(({ textOnly }) => textOnly !== true);

describe("statements are executed at the home of their tables, as their servers say,", () => {
  test.each([
    ["reads", READS],
    ["writes", WRITES],
    ["definitions, locks and several statements", DEFINITIONS],
    ["assignments", ASSIGNMENTS],
    ["files", FILES],
    ["quotes of the standard", ANSI],
    ["views, triggers and functions", NAMES_BEHIND],
  ])("as text and prepared: %s", (_what, cases) =>
    using(async (client) => {
      if (cases === ANSI) await client.query("SET sql_mode = 'ANSI_QUOTES'");
      expect(await run(client, "text", cases)).toEqual(expected(cases));
      const both = preparable(cases);
      expect(await run(client, "prepared", both)).toEqual(expected(both));
    }),
  );

  test.each(CALLS)("as text and prepared: $sql: $why", async (one) => {
    for (const way of ["text", "prepared"] as const) {
      await using(async (client) => expect(await run(client, way, [one])).toEqual(expected([one])));
    }
  });

  test("and what routines leave in the session goes along, or keeps it, as their bodies say", () =>
    using(async (client) => {
      await servers.old.root("DELETE FROM shop.other");
      await client.query("CALL remembers(@out)");
      await client.query("SELECT remembered(7)");
      await client.query("INSERT INTO marked (note) VALUES ('by a trigger')");
      const [[row]] = await client.query<mysql.RowDataPacket[]>(
        "SELECT @marked AS marked, @out AS n, @seen AS seen, @given AS given, COUNT(*) FROM orders",
      );
      expect(row).toMatchObject({ marked: "by a trigger", n: 0, seen: "41.5", given: 7 });
      await client.query("CALL keeps()");
      await expect(client.query("SELECT * FROM orders")).rejects.toMatchObject({
        errno: 1235,
        message: expect.stringContaining("a stored routine may have left it temporary tables"),
      });
    }));

  test("and `rules explain` says so beforehand", async () => {
    const { rules } = await readRules(harness.store);
    for (const { sql, runs, why } of [...READS, ...WRITES, ...DEFINITIONS, ...ASSIGNMENTS, ...NAMES_BEHIND, ...CALLS]) {
      const explained = explain(sql, rules, { schema: "shop", lowerCaseTableNames: "0" });
      const homes = new Set(explained.flatMap(({ backend }) => backend ?? []));
      const unknown = explained.some(({ goes, backend }) => goes === "split" || (goes === "everything" && !backend));
      const [home = rules.default, second] = homes;
      expect(unknown || second !== undefined ? "refused" : home, `${why}: ${sql}`).toBe(runs);
    }
  });
});

describe("a hint to a backend", () => {
  const LOOK = "/* switchyard:route=old */ SELECT COUNT(*) FROM orders";

  test("of those who may give it moves reads, and never a write", () =>
    using(async (client) => {
      expect(await run(client, "text", HINTS)).toEqual(expected(HINTS));
      const both = preparable(HINTS);
      expect(await run(client, "prepared", both)).toEqual(expected(both));
    }));

  test("of anybody else is a comment", () =>
    using(
      async (client) => {
        expect(await run(client, "text", IGNORED_HINTS)).toEqual(expected(IGNORED_HINTS));
        expect(await run(client, "prepared", IGNORED_HINTS)).toEqual(expected(IGNORED_HINTS));
      },
      { user: "guest" },
    ));

  test.each([
    ["BEGIN", "COMMIT"],
    ["BEGIN; SELECT 1 FROM orders LIMIT 1", "COMMIT"],
    ["SET autocommit = 0", "SET autocommit = 1"],
    ["LOCK TABLES orders READ", "UNLOCK TABLES"],
    ["CREATE TEMPORARY TABLE mine (id INT)", "DROP TEMPORARY TABLE mine"],
  ])("moves nothing after %s", (before, after) =>
    using(async (client) => {
      const look = before.includes("mine") ? "/* switchyard:route=new */ SELECT * FROM mine" : LOOK;
      await client.query(before);
      expect(await errnoOf(client.query(look))).toBe(1235);
      await client.query(after);
      expect(await errnoOf(client.query(LOOK))).toBeUndefined();
    }),
  );

  test("is not remembered as tables that are used together, and waits for holds", () =>
    using(async (client) => {
      await client.query("/* switchyard:route=old */ SELECT 1 FROM third JOIN items USING (id)");
      await client.query("SELECT 1 FROM third JOIN other USING (id)");
      const { seenTogether } = await harness.told(
        (told) => told.seenTogether.some((set) => set.includes("shop.third") && set.includes("shop.other")),
        "what came after it",
      );
      expect(seenTogether.filter((set) => set.includes("shop.third") && set.includes("shop.items"))).toEqual([]);
      await arm(harness, TOKEN, "old");
      await hold(harness, { oldHome: "new", newHome: "old" });
      let answered = false;
      const looking = client.query(LOOK).then(() => {
        answered = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(answered).toBe(false);
      await abort(harness);
      await looking;
    }));
});
