import mysql, { type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runMysql } from "./mysql-client.ts";
import { type Harness, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

/** `shop.orders` lives on the new server, everything else on the old one. */
beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of Object.values(servers)) {
    await server.root(`
      GRANT XA_RECOVER_ADMIN ON *.* TO ${USER};
      CREATE ROLE reader; GRANT SELECT ON shop.* TO reader; GRANT reader TO ${USER};
      CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, order_id BIGINT);
      CREATE PROCEDURE shop.two() BEGIN SELECT 1 AS a; SELECT 2 AS b, 3 AS c; END;
    `);
  }
  harness = await startHarness(servers);
  await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
  await harness.told((told) => told.generation === 2, "generation 2");
});

beforeEach(async () => {
  for (const server of Object.values(servers)) await server.root("TRUNCATE shop.orders; TRUNCATE shop.other");
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

async function notes(server: "old" | "new", table = "orders"): Promise<(string | null | undefined)[]> {
  return (await servers[server].root(`SELECT note FROM shop.${table} ORDER BY id`)).map((row) => row["note"]);
}

async function using<T>(
  use: (client: mysql.Connection) => Promise<T>,
  options: mysql.ConnectionOptions = {},
): Promise<T> {
  const client = await harness.connect(options);
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}

/** Made by statements, not by literals; read by a session whose settings stand in the way. */
const COMPUTES = [
  "SELECT -5, 18446744073709551615, 1.50, 1.1e0 / 3, CAST(-9223372036854775808 AS SIGNED) INTO @i, @u, @d, @f, @least",
  "SELECT @s := CONCAT('a', CHAR(0), 'é' COLLATE utf8mb4_bin), @`b` := UNHEX('00ff27'), @five := CAST(5 AS UNSIGNED)",
  "SELECT @l := CONVERT('é' USING latin1) COLLATE latin1_german1_ci, @big := CAST(7 AS DECIMAL(30)), @empty := LEFT('x', 0)",
  "SELECT NULL, CAST(NULL AS SIGNED), NULL + 1e0, CONVERT(NULL USING latin1) INTO @n, @ni, @nf, @ns",
  "SET @zero = -0e0, @tiny = 4.9e-324, @max = 1.7976931348623157e308, @day = CURRENT_DATE(), @json = JSON_ARRAY(1)",
  "SET @text = 'x'",
  "SET NAMES latin1",
  "SET character_set_results = utf16, sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', sql_select_limit = 0",
  "SET sql_select_limit = 5, character_set_results = utf8mb4",
];
const VARIABLES = [
  ...["i", "u", "d", "f", "least", "s", "b", "five", "l", "big", "empty", "n", "ni", "nf", "ns", "zero", "tiny", "max"],
  ...["day", "json", "text", "unset"],
];

const at = (server: TestServer): mysql.ConnectionOptions => ({
  host: server.host,
  port: server.port,
  user: USER,
  password: PASSWORD,
});

const insert = (table: string, note: string): string => `INSERT INTO ${table} (note) VALUES ('${note}')`;
const clientArgs = [`--user=${USER}`, `--password=${PASSWORD}`, "-N", "shop"];

describe("statements", () => {
  test("that list tables list those of the default backend, wherever the last one went", () =>
    using(async (client) => {
      await servers.old.root("CREATE TABLE shop.stayed (id INT)");
      for (const list of ["SHOW TABLES FROM shop LIKE 'stay%'", "SHOW TABLE STATUS LIKE 'stay%'"]) {
        await client.query("SELECT id FROM orders");
        const [rows] = await client.query<RowDataPacket[]>(list);
        expect(rows, list).toHaveLength(1);
      }
      await servers.old.root("DROP TABLE shop.stayed");
    }));

  test("go to the home of their tables, whatever way they are sent", () =>
    using(async (client) => {
      await client.query(insert("orders", "text"));
      await client.query(insert("other", "text"));
      await client.execute("INSERT INTO orders (note) VALUES (?)", ["binary"]);
      await client.execute("INSERT INTO other (note) VALUES (?)", ["binary"]);
      expect(await notes("new")).toEqual(["text", "binary"]);
      expect(await notes("old", "other")).toEqual(["text", "binary"]);
      expect(await notes("old")).toEqual([]);
    }));

  test("with tables of two homes are refused, naming tables and homes, and the session goes on", () =>
    using(
      async (client) => {
        const join = client.query("SELECT * FROM orders JOIN other USING (id)");
        await expect(join).rejects.toMatchObject({
          errno: 1235,
          message: expect.stringContaining("shop.orders on new"),
        });
        const [warnings] = await client.query("SHOW WARNINGS");
        const message = expect.stringMatching(/^Switchyard: a statement cannot use tables of different servers/);
        expect(warnings, "as after any error").toEqual([{ Level: "Error", Code: 1235, Message: message }]);
        const both = client.query("SELECT * FROM orders; SELECT * FROM other");
        await expect(both).rejects.toMatchObject({ errno: 1235 });
        const [rows] = await client.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM orders");
        expect(rows[0]?.["n"]).toBe(0);
      },
      { multipleStatements: true },
    ));

  test("that may touch anything are refused once tables live on two servers, never guessed", () =>
    using(async (client) => {
      await expect(client.query("CALL two()")).rejects.toMatchObject({ errno: 1235 });
      await client.ping();
    }));

  test("that are no SQL get the server's own error, also once tables live on two servers", () =>
    using(async (client) => {
      for (const text of ["SELEC 1", "SELECT note FROM", "DROP everything", "INSERT orders VALUE", "''"]) {
        const direct = await servers.old.root(text).then(
          () => expect.unreachable(text),
          (error: Error & { errno: number }) => ({ errno: error.errno, message: error.message }),
        );
        expect(direct.errno).toBe(1064);
        await expect(client.query(text)).rejects.toMatchObject(direct);
        await expect(client.execute(text)).rejects.toMatchObject(direct);
      }
      const [warnings] = await client.query<RowDataPacket[]>("SHOW WARNINGS");
      expect(warnings).toEqual([expect.objectContaining({ Code: 1064 })]);
      // What is SQL and may touch anything is refused still.
      await expect(client.query("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders")).rejects.toMatchObject({
        errno: 1235,
      });
      expect(await notes("old")).toBeDefined();
    }));

  test("sent together share a home and give all their results", () =>
    using(
      async (client) => {
        const text = `${insert("orders", "a")}; SELECT note FROM orders; SELECT 5 AS five; ${insert("orders", "b")}`;
        const [results] = await client.query<RowDataPacket[][]>(text);
        expect(results).toHaveLength(4);
        expect(results[1]).toEqual([{ note: "a" }]);
        expect(results[2]).toEqual([{ five: 5 }]);
        expect(await notes("new")).toEqual(["a", "b"]);
      },
      { multipleStatements: true },
    ));

  test("with rows larger than one packet cross whole, both ways, by text and prepared", async () => {
    const size = 17 * 1024 * 1024;
    await servers.new.root("CREATE TABLE IF NOT EXISTS shop.big (id INT PRIMARY KEY, body LONGBLOB)");
    await harness.change((rules) => withTable(rules, "shop.big", { to: "new", migration: "orders" }));
    await using(async (client) => {
      const body = Buffer.alloc(size, "x1y2");
      await client.execute("INSERT INTO big VALUES (1, ?)", [body]);
      await client.query("INSERT INTO big VALUES (2, ?)", [body]);
      for (const id of [1, 2]) {
        const [[row]] = await client.query<RowDataPacket[]>(`SELECT body FROM big WHERE id = ${id}`);
        expect(body.equals(row?.["body"] as Buffer)).toBe(true);
      }
    });
  });

  test("with many rows come at the pace of a slow reader", () =>
    using(async (client) => {
      const raw = (client as unknown as { connection: { query(sql: string): { stream(): AsyncIterable<unknown> } } })
        .connection;
      const numbers = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200000)";
      const hint = "SELECT /*+ SET_VAR(cte_max_recursion_depth = 300000) */";
      let count = 0;
      for await (const row of raw.query(`${numbers} ${hint} i, REPEAT('x', 200) AS filler FROM n`).stream()) {
        if (row !== undefined && ++count % 50_000 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(count).toBe(200_000);
    }));

  test("of MySQL's own client work: attributes of queries, results without and with metadata, errors", async () => {
    const input = "query_attributes n1 v1\nSELECT 1;\nSELECT nonsense;\nSELECT 2;\n";
    const run = await runMysql(harness.port, [...clientArgs, "--force", "--commands"], input);
    expect(run.out).toBe("1\n2\n");
    expect(run.error).toContain("ERROR 1054 (42S22)");
  });

  test("relay the counts and warnings of the server", () =>
    using(async (client) => {
      const [result] = await client.query<ResultSetHeader>("INSERT INTO orders (note) VALUES ('x'), ('y')");
      expect(result).toMatchObject({ affectedRows: 2, insertId: 1 });
      await client.query("SELECT CAST('nonsense' AS SIGNED)");
      const [warnings] = await client.query<RowDataPacket[]>("SHOW WARNINGS");
      expect(warnings[0]).toMatchObject({ Code: 1292 });
    }));

  test("of LOAD DATA LOCAL leave it to the client whether it sends a file, and the session goes on", () =>
    using(async (client) => {
      const load = client.query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders");
      await expect(load).rejects.toThrow("server wants to read /etc/passwd");
      const [[row]] = await client.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM orders WHERE note LIKE '%root%'");
      expect(row?.["n"]).toBe(0);
    }));
});

describe("prepared statements", () => {
  test("follow their tables, keep their types and are prepared anew only once", () =>
    using(async (client) => {
      const sql = "INSERT INTO other (client, note) VALUES (?, ?)";
      await client.execute(sql, [1, "old"]);
      // Connected to the other home already, which does not know the statement.
      await client.query("SELECT COUNT(*) FROM orders");
      await harness.change((rules) => withTable(rules, "shop.other", { to: "new", migration: "other" }));
      try {
        await client.execute(sql, [2, "new"]);
        await client.execute(sql, [3, null]);
      } finally {
        await harness.change((rules) => withTable(rules, "shop.other", { to: "old", migration: "other" }));
      }
      expect(await notes("old", "other")).toEqual(["old"]);
      expect(await notes("new", "other")).toEqual(["new", null]);
    }));

  test("mean the tables of the schema in which they were prepared", () =>
    using(async (client) => {
      const statement = await client.prepare("SELECT note FROM orders");
      await client.query(insert("orders", "mine"));
      await client.query("USE information_schema");
      const [rows] = await statement.execute([]);
      expect(rows).toEqual([{ note: "mine" }]);
      const [[schema]] = await client.query<RowDataPacket[]>("SELECT DATABASE() AS name");
      expect(schema?.["name"]).toBe("information_schema");
      await statement.close();
    }));
});

describe("statements prepared by PREPARE", () => {
  test("follow their tables, whatever the mode is by then, and are known by their names everywhere", () =>
    using(async (client) => {
      const unknown = (name: string, by: string) => ({
        errno: 1243,
        message: `Unknown prepared statement handler (${name}) given to ${by}`,
      });
      await client.query("SET @first = 'one', @second = 2");
      await client.query("PREPARE ins FROM 'INSERT INTO orders (note, client) VALUES (?, ?)'");
      await client.query("EXECUTE ins USING @first, @second");
      expect(await notes("new")).toEqual(["one"]);
      await client.query("SET @text = CONCAT('SELECT note, ''it\\\\\\'s'' AS q FROM ', 'other')");
      await client.query("PREPARE Sel FROM @text");
      expect((await client.query("EXECUTE sel"))[0]).toEqual([]);
      await harness.change((rules) => withTable(rules, "shop.other", { to: "new", migration: "other" }));
      try {
        await servers.new.root("INSERT INTO shop.other (note) VALUES ('moved')");
        await client.query("SET sql_mode = 'ANSI_QUOTES'");
        expect((await client.query("EXECUTE sel"))[0]).toEqual([{ note: "moved", q: "it's" }]);
      } finally {
        await harness.change((rules) => withTable(rules, "shop.other", { to: "old", migration: "other" }));
      }
      await client.query("DROP PREPARE SEL");
      await expect(client.query("EXECUTE sel")).rejects.toMatchObject(unknown("sel", "EXECUTE"));
      await expect(client.query("DEALLOCATE PREPARE sel")).rejects.toMatchObject(unknown("sel", "DEALLOCATE PREPARE"));
      await expect(client.query("PREPARE ins FROM 'INSERT nonsense'")).rejects.toMatchObject({ errno: 1064 });
      await expect(client.query("EXECUTE ins")).rejects.toMatchObject(unknown("ins", "EXECUTE"));
      await client.query("SET @both = 'SELECT * FROM orders JOIN other USING (id)'");
      await expect(client.query("PREPARE two FROM @both")).rejects.toMatchObject({ errno: 1235 });
      await client.query("PREPARE var FROM 'SELECT MAX(note) FROM orders INTO @max'");
      await client.query("EXECUTE var");
      expect((await client.query("SELECT @max AS m FROM other RIGHT JOIN (SELECT 1) one ON TRUE"))[0]).toEqual([
        { m: "one" },
      ]);
      await client.reset();
      await expect(client.query("EXECUTE var")).rejects.toMatchObject(unknown("var", "EXECUTE"));
      for (const server of ["old", "new"] as const) {
        const [row] = await servers[server].root("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'");
        expect(row?.["Value"]).toBe("0");
      }
    }));
});

describe("session state", () => {
  test("set on one backend is in force on the other", () =>
    using(async (client) => {
      await client.query("SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+03:00', @mark = 7");
      await client.query("SET SESSION group_concat_max_len = 100 + 23");
      const sql = `SELECT COALESCE(MAX("note"), '') AS "note", @@sql_mode AS mode, @@time_zone AS zone, @mark AS mark,
        @@group_concat_max_len AS concat FROM "orders"`;
      const [[row]] = await client.query<RowDataPacket[]>(sql);
      expect(row).toEqual({ note: "", mode: "ANSI_QUOTES", zone: "+03:00", mark: 7, concat: 123 });
    }));

  test("roles are, and the clock of the session, stopped or running", () =>
    using(async (client) => {
      await client.query("SET ROLE reader");
      await client.query("SET timestamp = 1000.5");
      const sql = "SELECT CURRENT_ROLE() AS role, @@timestamp AS at, MAX(id) FROM orders";
      const [[stopped]] = await client.query<RowDataPacket[]>(sql);
      expect(stopped).toMatchObject({ role: "`reader`@`%`", at: 1000.5 });
      await client.query("SET timestamp = DEFAULT");
      const times: number[] = [];
      for (const _ of [1, 2]) times.push((await client.query<RowDataPacket[]>(sql))[0][0]?.["at"]);
      expect(times[0]).toBeGreaterThan(1e9);
      expect(times[1]).toBeGreaterThan(times[0] as number);
    }));

  test("USE is in force on the other backend", () =>
    using(
      async (client) => {
        await client.query("USE shop");
        await client.query(insert("orders", "by use"));
        expect(await notes("new")).toEqual(["by use"]);
      },
      { database: "information_schema" },
    ));

  test("that cannot be replayed keeps the session where it is, with the reason", () =>
    using(async (client) => {
      await client.query("SET rand_seed1 = 3");
      await expect(client.query("SELECT * FROM orders")).rejects.toMatchObject({
        errno: 1235,
        message: expect.stringContaining("the session variable rand_seed1 was set"),
      });
      await client.query("SELECT * FROM other");
    }));

  test("computed user variables go along with their types and collations, whatever the session reads by", () =>
    using(async (client) => {
      const direct = await mysql.createConnection({ ...at(servers.old), database: "shop" });
      try {
        for (const one of [client, direct]) for (const text of COMPUTES) await one.query(text);
        const columns = VARIABLES.map((name) => `@${name} AS v_${name}`).join(", ");
        await harness.change((rules) => withTable(rules, "shop.probe", { to: "new", migration: "orders" }));
        for (const one of [client, direct]) await one.query(`CREATE TABLE shop.probe AS SELECT ${columns}`);
        const [moved, stayed] = await Promise.all(
          [servers.new, servers.old].map(async (server) => [
            await server.root("SHOW CREATE TABLE shop.probe"),
            await server.root(
              `SELECT ${VARIABLES.map((name) => `HEX(v_${name}), v_${name} + 0`).join(", ")} FROM shop.probe`,
            ),
          ]),
        );
        expect(moved).toEqual(stayed);
        expect(JSON.stringify(stayed)).toContain("latin1_german1_ci");
        // What fails after it has assigned has assigned.
        await expect(client.query("SELECT @i := 77, CAST(CONCAT(@i, '{') AS JSON)")).rejects.toThrow();
        const [[row]] = await client.query<RowDataPacket[]>("SELECT COUNT(*), CAST(@i AS CHAR) AS i FROM orders");
        expect(String(row?.["i"])).toBe("77");
        await client.query("SET @huge = REPEAT('x', 200000)");
        await expect(client.query("SELECT * FROM other")).rejects.toMatchObject({
          errno: 1235,
          message: expect.stringContaining("its user variables hold more than 128 KiB"),
        });
      } finally {
        await direct.end();
      }
    }));

  test("is gone after a reset of the connection, on every backend", () =>
    using(async (client) => {
      await client.query("SET @mark = 7");
      await client.query("SELECT * FROM orders");
      await client.query("CREATE TEMPORARY TABLE other (id INT)");
      await client.reset();
      const [[here]] = await client.query<RowDataPacket[]>("SELECT @mark AS mark, COUNT(*) AS n FROM orders");
      expect(here).toEqual({ mark: null, n: 0 });
      const [columns] = await client.query<RowDataPacket[]>("SHOW COLUMNS FROM other");
      expect(columns).toHaveLength(3);
    }));

  test("LAST_INSERT_ID() goes along from one home to the other", () =>
    using(async (client) => {
      await client.query("INSERT INTO orders (id, note) VALUES (NULL, 'first')");
      await client.query("INSERT INTO orders (id, note) VALUES (NULL, 'second')");
      await client.query("INSERT INTO items (order_id) VALUES (LAST_INSERT_ID())");
      const [row] = await servers.old.root("SELECT order_id FROM shop.items ORDER BY id DESC LIMIT 1");
      expect(row).toEqual({ order_id: "2" });
    }));

  test("a temporary table hides the one that has moved, and stays where it is", () =>
    using(async (client) => {
      await client.query("CREATE TEMPORARY TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(20))");
      await client.query(insert("orders", "hidden"));
      const [rows] = await client.query<RowDataPacket[]>("SELECT note FROM orders");
      expect(rows).toEqual([{ note: "hidden" }]);
      await client.query("DROP TEMPORARY TABLE orders");
      await client.query(insert("orders", "seen"));
      expect(await notes("new")).toEqual(["seen"]);
      expect(await notes("old")).toEqual([]);
    }));

  test("user-level locks live on one server for all sessions", () =>
    using((first) =>
      using(async (second) => {
        await first.query("SELECT * FROM orders");
        const [[mine]] = await first.query<RowDataPacket[]>("SELECT GET_LOCK('one', 0) AS got");
        const [[other]] = await second.query<RowDataPacket[]>("SELECT GET_LOCK('one', 0) AS got");
        expect([mine?.["got"], other?.["got"]]).toEqual([1, 0]);
        await expect(second.query("SELECT GET_LOCK('two', 0), id FROM orders")).rejects.toMatchObject({ errno: 1235 });
      }),
    ));
});

describe("transactions", () => {
  test("open at the home of the first table they touch, and end there", () =>
    using(async (client) => {
      await client.beginTransaction();
      await client.query("SELECT 1");
      await client.query(insert("orders", "kept"));
      await client.commit();
      await client.beginTransaction();
      await client.query(insert("orders", "undone"));
      await client.rollback();
      await client.beginTransaction();
      await client.query(insert("other", "kept too"));
      await client.commit();
      expect(await notes("new")).toEqual(["kept"]);
      expect(await notes("old", "other")).toEqual(["kept too"]);
    }));

  test("may be ended by prepared statements, whether a server knows of them or not", () =>
    using(async (client) => {
      await client.query("BEGIN");
      await client.execute("COMMIT");
      await client.query(insert("other", "autocommitted"));
      await client.query("BEGIN");
      await client.query(insert("orders", "undone"));
      await client.execute("ROLLBACK");
      await client.query(insert("orders", "kept"));
      expect(await notes("old", "other")).toEqual(["autocommitted"]);
      expect(await notes("new")).toEqual(["kept"]);
    }));

  test("that would cross servers are refused at the statement, and can still be committed", () =>
    using(async (client) => {
      await client.beginTransaction();
      await client.query(insert("orders", "one"));
      await expect(client.query(insert("other", "two"))).rejects.toMatchObject({
        errno: 1235,
        message: expect.stringContaining("the transaction is open on new, and shop.other lives on old"),
      });
      await client.commit();
      expect(await notes("new")).toEqual(["one"]);
      expect(await notes("old", "other")).toEqual([]);
    }));

  test("keep savepoints that were made before the first statement", () =>
    using(async (client) => {
      await client.beginTransaction();
      await client.query("SAVEPOINT a");
      await client.query("SAVEPOINT b");
      await expect(client.query("ROLLBACK TO nowhere")).rejects.toMatchObject({ errno: 1305 });
      await client.query("RELEASE SAVEPOINT b");
      await client.query(insert("orders", "undone"));
      await expect(client.query("ROLLBACK TO b")).rejects.toMatchObject({ errno: 1305 });
      await client.query("ROLLBACK TO a");
      await client.query(insert("orders", "kept"));
      await client.commit();
      expect(await notes("new")).toEqual(["kept"]);
    }));

  test("answer as a server does that has begun one: status flags, characteristics", () =>
    using(async (client) => {
      const status = async (sql: string): Promise<number> => {
        const [header] = await client.query<ResultSetHeader>(sql);
        return (header as unknown as { serverStatus: number }).serverStatus;
      };
      expect((await status("DO 1")) & 1).toBe(0);
      expect((await status("BEGIN")) & 1).toBe(1);
      expect((await status("DO 1")) & 1).toBe(1);
      await expect(client.query("SET TRANSACTION READ ONLY")).rejects.toMatchObject({ errno: 1568 });
      expect((await status("COMMIT")) & 1).toBe(0);
      expect((await status("START TRANSACTION READ ONLY")) & 0x2001).toBe(0x2001);
      await expect(client.query(insert("orders", "never"))).rejects.toMatchObject({ errno: 1792 });
      expect((await status("ROLLBACK AND CHAIN")) & 0x2001).toBe(0x2001);
      expect((await status("ROLLBACK")) & 1).toBe(0);
    }));

  test("take the isolation that was set for the next one alone, at the backend that gets it", () =>
    using(async (client) => {
      await client.query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
      await client.beginTransaction();
      await client.query("SELECT * FROM orders");
      const thread = "(SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_USER = 'app')";
      const events = "performance_schema.events_transactions_current";
      const [row] = await servers.new.root(
        `SELECT ISOLATION_LEVEL AS level FROM ${events} WHERE STATE = 'ACTIVE' AND THREAD_ID IN ${thread}`,
      );
      expect(row).toEqual({ level: "SERIALIZABLE" });
      await client.rollback();
    }));

  test("with autocommit off open by themselves, on the backend of the statement", () =>
    using(async (client) => {
      await client.query("SET autocommit = 0");
      await client.query(insert("orders", "kept"));
      await expect(client.query(insert("other", "never"))).rejects.toMatchObject({ errno: 1235 });
      await client.query("COMMIT");
      await client.query(insert("other", "undone"));
      await client.query("ROLLBACK");
      expect(await notes("new")).toEqual(["kept"]);
      expect(await notes("old", "other")).toEqual([]);
    }));

  test("that a deadlock has ended are known to have ended", () =>
    using((first) =>
      using(async (second) => {
        await first.query("INSERT INTO orders (id, note) VALUES (1, 'a'), (2, 'b')");
        for (const client of [first, second]) await client.beginTransaction();
        await first.query("UPDATE orders SET note = 'x' WHERE id = 1");
        await second.query("UPDATE orders SET note = 'y' WHERE id = 2");
        const waits = first.query("UPDATE orders SET note = 'x' WHERE id = 2").then(
          () => undefined,
          (error) => error,
        );
        const dies = second.query("UPDATE orders SET note = 'y' WHERE id = 1").then(
          () => undefined,
          (error) => error,
        );
        const errors = (await Promise.all([waits, dies])).filter((error) => error !== undefined);
        expect(errors).toMatchObject([{ errno: 1213 }]);
        const victim = (await waits) === undefined ? second : first;
        await victim.query(insert("other", "elsewhere"));
        expect(await notes("old", "other")).toEqual(["elsewhere"]);
      }),
    ));

  test("name the tables that met, so that a switch cannot separate them", () =>
    using(async (client) => {
      await client.beginTransaction();
      await client.query(insert("other", "one"));
      await client.query("INSERT INTO items (order_id) VALUES (1)");
      await client.commit();
      await harness.told(
        ({ seenTogether }) => seenTogether.some((set) => set.join() === "shop.items,shop.other"),
        "that shop.items and shop.other met",
      );
    }));
});

describe("distributed transactions", () => {
  test("begin at the home of their first table, and are ended where they lie by whoever ends them", () =>
    using((client) =>
      using(async (other) => {
        await client.query("XA START 'one', 'b', 3");
        await client.query("SELECT 1");
        await client.query(insert("orders", "one"));
        await expect(client.query(insert("other", "never"))).rejects.toMatchObject({ errno: 1235 });
        for (const sql of ["COMMIT", "BEGIN", "XA START 'two'"]) {
          await expect(client.query(sql)).rejects.toMatchObject({ errno: 1399 });
        }
        await client.query("XA END 'one', 'b', 3");
        await client.query("XA PREPARE 'one', 'b', 3");
        await client.query(insert("other", "free"));
        expect(await notes("new")).toEqual([]);
        await other.query("XA COMMIT 0x6f6e65, X'62', 0x3");
        expect([await notes("new"), await notes("old", "other")]).toEqual([["one"], ["free"]]);
        await expect(other.query("XA COMMIT 'one', 'b', 3")).rejects.toMatchObject({ errno: 1397 });
      }),
    ));

  test("that no session of this proxy has prepared are looked for at each home", () =>
    using(async (client) => {
      const far = "XA START 'far'; INSERT INTO shop.orders (note) VALUES ('far'); XA END 'far'; XA PREPARE 'far'";
      for (const server of [servers.new, servers.old]) {
        await server.root(far);
        const [shown] = await client.query<RowDataPacket[]>("XA RECOVER");
        expect(shown.map(({ data }) => data)).toEqual(["far"]);
        await client.query("XA ROLLBACK 'far'");
        expect(await server.root("XA RECOVER")).toEqual([]);
      }
      for (const sql of far.split("; ")) await client.query(sql);
      // Ended at its server by somebody else, and the name taken again elsewhere.
      await servers.new.root("XA ROLLBACK 'far'");
      await servers.old.root(far);
      await client.query("XA ROLLBACK 'far'");
      expect(await servers.old.root("XA RECOVER")).toEqual([]);
    }));

  test("that have used no table are begun by the first statement about them, and refuse what a server's do", () =>
    using(async (client) => {
      await client.query("XA START 'none'");
      await expect(client.query("ROLLBACK")).rejects.toMatchObject({ errno: 1399 });
      await client.query("XA END 'none'");
      await client.query("XA COMMIT 'none' ONE PHASE");
      await client.query(insert("orders", "after"));
      await client.query("BEGIN");
      await expect(client.query("XA START 'within'")).rejects.toMatchObject({ errno: 1400 });
      await client.query("ROLLBACK");
      expect(await notes("new")).toEqual(["after"]);
    }));
});
