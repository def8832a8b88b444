import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { expect } from "vitest";
import { COM } from "../../../src/wire/capabilities.ts";
import type { TestServer } from "../../support/servers.ts";
import { command, onStatement, type RawClient } from "./raw-client.ts";

/** A client in one state, and what a row of the table of states may look at. */
export interface Client {
  readonly connection: Connection;
  /** Only of a row that asks for it: a client of the same account, whose bytes are its own. */
  readonly raw: RawClient;
  /** At the old server itself. */
  readonly bystander: Connection;
  /** What {@link StateRow.enter} leaves for later. */
  pending?: unknown;
  readonly servers: Readonly<Record<"old" | "new", TestServer>>;
  /** Notes of the rows that this client has written, by server. */
  notes(): Promise<Record<"old" | "new", (string | null | undefined)[]>>;
}

/**
 * A state of a session. All rows of the table are in their state at the same time; then `shop.orders` moves; then each
 * client says what it finds.
 */
export interface StateRow {
  readonly state: string;
  /** The state is that of its raw client. */
  readonly raw?: boolean;
  readonly enter: (client: Client) => Promise<unknown>;
  /** Why the arming names it; absent where it may move. */
  readonly blocked?: string;
  /** Why the hold waits for it; absent where it does not. */
  readonly open?: string;
  /** Ends what the hold waits for. */
  readonly end?: (client: Client) => Promise<unknown>;
  /** After the move. */
  readonly after: (client: Client) => Promise<unknown>;
}

const TRANSACTION = "a transaction is open";

const insert = (client: Client, note: string): string =>
  `INSERT INTO orders (client, note) VALUES (${client.connection.threadId}, '${note}')`;

async function first(client: Client, sql: string): Promise<Record<string, unknown>> {
  const [rows] = await client.connection.query<RowDataPacket[]>(sql);
  return { ...rows[0] };
}

async function all(client: Client, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) await client.connection.query(sql);
}

async function refused(work: Promise<unknown>, errno: number, because: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ errno, message: expect.stringContaining(because) });
}

/** Whatever its state was, in the end the session uses the tables at their new home. */
async function goesOn(client: Client): Promise<void> {
  await client.connection.query(insert(client, "moved"));
  expect((await client.notes()).new.at(-1)).toBe("moved");
}

async function status(client: Client, sql: string): Promise<number> {
  const [header] = await client.connection.query<ResultSetHeader>(sql);
  return (header as unknown as { serverStatus: number }).serverStatus;
}

const IN_TRANSACTION = 1;

const transactions: readonly StateRow[] = [
  {
    state: "an explicit transaction is waited for, and ends where it is",
    enter: (client) => all(client, "BEGIN", insert(client, "one")),
    open: TRANSACTION,
    end: (client) => all(client, insert(client, "two"), "COMMIT"),
    after: async (client) => {
      expect(await client.notes()).toEqual({ old: ["one", "two"], new: [] });
      await goesOn(client);
    },
  },
  {
    state: "a transaction that no server knows of yet opens at the new home",
    enter: (client) => all(client, "BEGIN"),
    after: async (client) => {
      await all(client, insert(client, "late"), "COMMIT");
      expect(await client.notes()).toEqual({ old: [], new: ["late"] });
    },
  },
  {
    state: "autocommit=0 before a read is in force at the new home",
    enter: (client) => all(client, "SET autocommit = 0"),
    after: async (client) => {
      expect((await status(client, insert(client, "undone"))) & IN_TRANSACTION).toBe(IN_TRANSACTION);
      await all(client, "ROLLBACK", insert(client, "kept"), "COMMIT");
      expect(await client.notes()).toEqual({ old: [], new: ["kept"] });
    },
  },
  {
    state: "autocommit=0 after a read is a transaction",
    enter: (client) => all(client, "SET autocommit = 0", "SELECT COUNT(*) FROM orders"),
    open: TRANSACTION,
    end: (client) => all(client, "COMMIT"),
    after: async (client) => {
      await all(client, insert(client, "undone"), "ROLLBACK");
      expect(await client.notes()).toEqual({ old: [], new: [] });
    },
  },
  {
    state: "a read-only transaction is waited for",
    enter: (client) => all(client, "START TRANSACTION READ ONLY", "SELECT COUNT(*) FROM orders"),
    open: TRANSACTION,
    end: async (client) => {
      await refused(client.connection.query(insert(client, "never")), 1792, "READ ONLY");
      await all(client, "COMMIT");
    },
    after: goesOn,
  },
  {
    state: "a consistent snapshot is waited for, and sees nothing that came after it",
    enter: async (client) => {
      await all(client, "START TRANSACTION WITH CONSISTENT SNAPSHOT");
      await client.servers.old.root("INSERT INTO shop.other (note) VALUES ('later')");
    },
    open: TRANSACTION,
    end: async (client) => {
      expect(await first(client, "SELECT COUNT(*) AS n FROM other")).toEqual({ n: 0 });
      await all(client, "COMMIT");
    },
    after: goesOn,
  },
  {
    state: "one-shot SET TRANSACTION is for the next transaction, at the new home",
    enter: (client) => all(client, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
    after: async (client) => {
      await all(client, "BEGIN", "SELECT COUNT(*) FROM orders");
      const events = "performance_schema.events_transactions_current";
      const active = `SELECT COUNT(*) AS n FROM ${events} WHERE STATE = 'ACTIVE' AND ISOLATION_LEVEL = 'SERIALIZABLE'`;
      expect(await client.servers.new.root(active)).toEqual([{ n: "1" }]);
      await all(client, "COMMIT", "BEGIN", "SELECT COUNT(*) FROM orders");
      expect(await client.servers.new.root(active)).toEqual([{ n: "0" }]);
      await all(client, "COMMIT");
    },
  },
  {
    state: "a savepoint is kept as long as its transaction",
    enter: (client) => all(client, "BEGIN", insert(client, "kept"), "SAVEPOINT s", insert(client, "undone")),
    open: TRANSACTION,
    end: (client) => all(client, "ROLLBACK TO s", "COMMIT"),
    after: async (client) => {
      expect((await client.notes()).old).toEqual(["kept"]);
      await goesOn(client);
    },
  },
  {
    state: "a transaction in which a statement has failed, and not the transaction, is still open",
    enter: async (client) => {
      await all(client, "BEGIN", insert(client, "kept"));
      await refused(client.connection.query("SELECT * FROM taken WHERE id = 1 FOR UPDATE NOWAIT"), 3572, "NOWAIT");
    },
    open: TRANSACTION,
    end: (client) => all(client, "COMMIT"),
    after: async (client) => expect((await client.notes()).old).toEqual(["kept"]),
  },
  {
    state: "a distributed transaction is waited for until it is prepared, and is then ended where it lies",
    enter: (client) => all(client, "XA START 'row'", insert(client, "prepared"), "XA END 'row'"),
    open: TRANSACTION,
    end: (client) => all(client, "XA PREPARE 'row'"),
    after: async (client) => {
      await goesOn(client);
      await all(client, "XA COMMIT 'row'");
      expect(await client.notes()).toEqual({ old: ["prepared"], new: ["moved"] });
    },
  },
  {
    state: "CREATE TABLE within autocommit=0 has committed",
    enter: (client) => all(client, "SET autocommit = 0", insert(client, "committed"), "CREATE TABLE made (id INT)"),
    after: async (client) => expect((await client.notes()).old).toEqual(["committed"]),
  },
];

async function keepsLock(client: Client, name: string): Promise<void> {
  await goesOn(client);
  const free = `SELECT IS_FREE_LOCK('${name}') AS free`;
  expect(await client.servers.old.root(free)).toEqual([{ free: "0" }]);
  expect(await first(client, `SELECT RELEASE_LOCK('${name}') AS released`)).toEqual({ released: 1 });
  expect(await client.servers.old.root(free)).toEqual([{ free: "1" }]);
}

const locks: readonly StateRow[] = [
  {
    state: "LOCK TABLES pins and is waited for, until UNLOCK TABLES",
    enter: (client) => all(client, "LOCK TABLES spare WRITE"),
    blocked: "it has locked tables",
    open: "it has locked tables",
    end: (client) => all(client, "UNLOCK TABLES"),
    after: goesOn,
  },
  {
    state: "a HANDLER pins and is waited for, until HANDLER CLOSE, whatever it is called",
    enter: (client) => all(client, "HANDLER orders OPEN AS h", "HANDLER h READ FIRST"),
    blocked: "it has opened a HANDLER",
    open: "it has opened a HANDLER",
    end: (client) => all(client, "HANDLER h READ NEXT", "HANDLER h CLOSE"),
    after: async (client) => {
      await all(client, "HANDLER orders OPEN AS other", "HANDLER other READ FIRST");
      await refused(client.connection.query("SELECT COUNT(*) FROM other"), 1235, "it has opened a HANDLER");
      await all(client, "HANDLER other CLOSE", "SELECT COUNT(*) FROM other");
      await goesOn(client);
    },
  },
  {
    state: "SELECT GET_LOCK(…) is kept on the server where all such locks are, until RELEASE_LOCK",
    enter: (client) => all(client, "SELECT GET_LOCK('by select', 0)"),
    after: (client) => keepsLock(client, "by select"),
  },
  {
    state: "DO GET_LOCK(…) is kept on the server where all such locks are, until RELEASE_LOCK",
    enter: (client) => all(client, "DO GET_LOCK('by do', 0)"),
    after: (client) => keepsLock(client, "by do"),
  },
];

const procedures: readonly StateRow[] = [
  {
    state: "GET_LOCK(…) inside a procedure is kept, and a CALL whose body is not known pins",
    enter: (client) => all(client, "CALL takes_lock()"),
    blocked: "a stored procedure may have changed the session",
    after: async (client) => {
      await refused(client.connection.query(insert(client, "never")), 1235, "a stored procedure may have changed");
      expect(await client.servers.old.root("SELECT IS_FREE_LOCK('by call') AS free")).toEqual([{ free: "0" }]);
      await client.connection.reset();
      expect(await client.servers.old.root("SELECT IS_FREE_LOCK('by call') AS free")).toEqual([{ free: "1" }]);
      await goesOn(client);
    },
  },
  {
    state: "a procedure that failed after it had made a temporary table pins as well",
    enter: (client) => refused(client.connection.query("CALL makes_and_fails()"), 1644, "as planned"),
    blocked: "a stored procedure may have changed the session",
    after: async (client) => {
      await refused(client.connection.query(insert(client, "never")), 1235, "a stored procedure may have changed");
      expect(await first(client, "SELECT COUNT(*) AS n FROM in_call")).toEqual({ n: 0 });
    },
  },
];

const CONTENTS =
  "SELECT @whole AS whole, @part AS part, @text AS text, COLLATION(@text) AS collation, COUNT(*) AS n FROM orders";

const variables: readonly StateRow[] = [
  {
    state: "user variables keep their values, types and collations",
    enter: (client) => all(client, "SET @whole = 7, @part = 1.50, @text = _latin1'e' COLLATE latin1_german1_ci"),
    after: async (client) => {
      const found = { whole: 7, part: "1.50", text: "e", collation: "latin1_german1_ci", n: expect.any(Number) };
      expect(await first(client, CONTENTS)).toEqual(found);
    },
  },
  {
    state: "user variables that SELECT … INTO and := have set go along",
    enter: (client) => all(client, "SELECT 40 + 2, 'x' INTO @whole, @text", "SELECT @part := 0.25"),
    after: async (client) =>
      expect(await first(client, CONTENTS)).toMatchObject({ whole: 42, part: "0.25", text: "x" }),
  },
  {
    state: "a procedure's user variables go along, once its body is known",
    enter: (client) => all(client, "CALL remembers()"),
    after: async (client) =>
      expect(await first(client, "SELECT @kept AS kept, COUNT(*) AS n FROM orders")).toMatchObject({ kept: "1.25" }),
  },
  {
    state: "a procedure whose body is not known pins",
    enter: (client) => all(client, "CALL unread()"),
    blocked: "a stored procedure may have changed the session",
    after: (client) => refused(client.connection.query(insert(client, "never")), 1235, "a stored procedure may have"),
  },
  {
    state: "the schema is in force at the new home",
    enter: (client) => all(client, "USE information_schema", "USE shop"),
    after: goesOn,
  },
  {
    state: "a role that was set is set at the new home",
    enter: (client) => all(client, "SET ROLE clerk"),
    after: async (client) =>
      expect(await first(client, "SELECT CURRENT_ROLE() AS role, COUNT(*) AS n FROM orders")).toMatchObject({
        role: "`clerk`@`%`",
      }),
  },
  {
    state: "session_track_system_variables='*' ties nothing, though each OK then says that something has changed",
    enter: (client) => all(client, "SET session_track_system_variables = '*'", "DO 1", "DO 2"),
    after: async (client) =>
      expect(
        await first(client, "SELECT @@session_track_system_variables AS tracked, COUNT(*) AS n FROM orders"),
      ).toMatchObject({ tracked: "*" }),
  },
  {
    state: "SET timestamp=DEFAULT leaves the clock of the new home running, whatever it was before",
    enter: (client) => all(client, "SET timestamp = 1000", "SET timestamp = DEFAULT"),
    after: async (client) => {
      const now = "SELECT UNIX_TIMESTAMP(NOW(6)) AS now, COUNT(*) AS n FROM orders";
      const [one, two] = [await first(client, now), await first(client, now)];
      expect(Number(two["now"])).toBeGreaterThan(Number(one["now"]));
    },
  },
  {
    state: "insert_id pins until a row has used it",
    enter: (client) => all(client, "SET insert_id = 4000", "INSERT INTO other (note) VALUES ('4000')"),
    after: async (client) => {
      expect(await first(client, "SELECT id FROM other WHERE note = '4000'")).toEqual({ id: 4000 });
      await goesOn(client);
    },
  },
  {
    state: "a variable that belongs to one server pins, and a statement on what has moved says so",
    enter: (client) => all(client, "SET rand_seed1 = 7"),
    blocked: "the session variable rand_seed1 was set",
    after: async (client) => {
      await refused(client.connection.query(insert(client, "never")), 1235, "the session variable rand_seed1 was set");
      await client.connection.reset();
      await goesOn(client);
    },
  },
];

const temporary: readonly StateRow[] = [
  {
    state: "a temporary table pins, and stays where it is until DROP TEMPORARY TABLE",
    enter: (client) => all(client, "CREATE TEMPORARY TABLE scratch (id INT)", "INSERT INTO scratch VALUES (1)"),
    blocked: "it has the temporary table shop.scratch",
    after: async (client) => {
      expect(await first(client, "SELECT COUNT(*) AS n FROM scratch")).toEqual({ n: 1 });
      await refused(client.connection.query("SELECT * FROM scratch JOIN orders USING (id)"), 1235, "temporary tables");
      await all(client, "DROP TEMPORARY TABLE scratch");
      await goesOn(client);
    },
  },
  {
    state: "a temporary table that was dropped ties nothing, though its server says no different",
    enter: (client) => all(client, "CREATE TEMPORARY TABLE gone (id INT)", "DROP TEMPORARY TABLE gone"),
    after: goesOn,
  },
  {
    state: "COM_RESET_CONNECTION leaves nothing of all that",
    enter: async (client) => {
      await all(client, "SET @whole = 7, time_zone = '+03:00'", "CREATE TEMPORARY TABLE gone (id INT)");
      await all(client, "LOCK TABLES more READ");
      await client.connection.reset();
    },
    after: async (client) => {
      const found = await first(client, "SELECT @whole AS whole, @@time_zone AS zone, COUNT(*) AS n FROM orders");
      expect(found).toMatchObject({ whole: null, zone: "SYSTEM" });
    },
  },
];

const answers: readonly StateRow[] = [
  {
    state: "FOUND_ROWS() is told by the server that counted",
    enter: (client) => all(client, "SELECT SQL_CALC_FOUND_ROWS id FROM three LIMIT 1"),
    after: async (client) => expect(await first(client, "SELECT FOUND_ROWS() AS found")).toEqual({ found: 3 }),
  },
  {
    state: "ROW_COUNT() is told by the server that wrote",
    enter: (client) => all(client, "UPDATE three SET note = 'x'"),
    after: async (client) => expect(await first(client, "SELECT ROW_COUNT() AS count")).toEqual({ count: 3 }),
  },
  {
    state: "SHOW WARNINGS are those of the statement before",
    enter: (client) => all(client, "SELECT CAST('nonsense' AS SIGNED)"),
    after: async (client) => expect(await first(client, "SHOW WARNINGS")).toMatchObject({ Code: 1292 }),
  },
  {
    state: "LAST_INSERT_ID() goes along to the new home",
    enter: (client) => all(client, "INSERT INTO more VALUES (LAST_INSERT_ID(4711))"),
    after: async (client) => {
      await all(client, `INSERT INTO orders (client, note) VALUES (${client.connection.threadId}, LAST_INSERT_ID())`);
      expect((await client.notes()).new).toEqual(["4711"]);
    },
  },
  {
    state: "a text with results still to come is waited for",
    enter: async (client) => {
      client.pending = client.connection.query(
        `${insert(client, "first")}; DO GET_LOCK('gate', 60); SELECT 1 FROM orders`,
      );
      await client.bystander.query("DO SLEEP(0.1)");
    },
    open: "a statement is in flight",
    end: (client) => client.bystander.query("DO RELEASE_LOCK('gate')"),
    after: async (client) => {
      const [results] = await (client.pending as Promise<[unknown[]]>);
      expect(results).toHaveLength(3);
      expect((await client.notes()).old).toEqual(["first"]);
    },
  },
];

const PREPARED = "INSERT INTO orders (client, note) VALUES (?, ?)";
const QUOTING = 'INSERT INTO orders (client, note) VALUES (?, "bytes")';
const ANSI_QUOTING = `INSERT INTO "orders" ("client", "note") VALUES (?, 'a\\')`;
const EXECUTE_WITH_CURSOR = Buffer.from([1, 1, 0, 0, 0]);

const statements: readonly StateRow[] = [
  {
    state: "a binary PREPARE keeps its id and goes to the new home",
    enter: async (client) => {
      await client.connection.execute(PREPARED, [client.connection.threadId, "before"]);
    },
    after: async (client) => {
      await client.connection.execute(PREPARED, [client.connection.threadId, "after"]);
      expect(await client.notes()).toEqual({ old: ["before"], new: ["after"] });
    },
  },
  {
    state: "a statement prepared by PREPARE keeps its name and goes to the new home",
    enter: (client) => all(client, `PREPARE named FROM "INSERT INTO orders (client, note) VALUES (?, 'by name')"`),
    after: async (client) => {
      await all(client, `SET @me = ${client.connection.threadId}`, "EXECUTE named USING @me");
      expect(await client.notes()).toEqual({ old: [], new: ["by name"] });
    },
  },
  {
    state: "a prepared statement is at the new home what it was when it was prepared, whatever the sql_mode is by now",
    enter: async (client) => {
      const { connection } = client;
      const quoting = "INSERT INTO orders (client, note) VALUES (@me, \\'\\\\\\'it\\')";
      await all(client, `SET @me = ${connection.threadId}`, `PREPARE quoting FROM '${quoting}'`);
      await connection.execute(QUOTING, [connection.threadId]);
      await all(client, "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
      await connection.execute(ANSI_QUOTING, [connection.threadId]);
      await all(client, `PREPARE slashed FROM 'INSERT INTO "orders" (client, note) VALUES (@me, ''a\\'')'`);
      await all(client, "SET sql_mode = 'PIPES_AS_CONCAT'");
    },
    after: async (client) => {
      const { connection, notes } = client;
      for (const text of [QUOTING, ANSI_QUOTING]) await connection.execute(text, [connection.threadId]);
      await all(client, "EXECUTE quoting", "EXECUTE slashed");
      expect(await notes()).toEqual({ old: ["bytes", "a\\"], new: ["bytes", "a\\", "'it", "a\\"] });
      // And the mode of now is in force there again.
      const asked = "SELECT @@sql_mode AS mode, 'a' || 'b' AS joined, \"x\\\"\" AS quoted FROM orders LIMIT 1";
      expect((await connection.query(asked))[0]).toEqual([{ mode: "PIPES_AS_CONCAT", joined: "ab", quoted: 'x"' }]);
    },
  },
  {
    state:
      "a prepared statement whose bytes mean something else by now is refused at the new home, and not another one",
    enter: async (client) => {
      await all(client, `PREPARE spelt FROM 'INSERT INTO orders (client, note) VALUES (CONNECTION_ID(), "text")'`);
      await client.connection.execute(QUOTING, [client.connection.threadId]);
      await all(client, "SET NAMES latin1");
    },
    after: async (client) => {
      await refused(client.connection.execute(QUOTING, [client.connection.threadId]), 1235, "another character set");
      await refused(all(client, "EXECUTE spelt"), 1235, "another character set");
      expect(await client.notes()).toEqual({ old: ["bytes"], new: [] });
    },
  },
  {
    state: "a PREPARE of a variable, sent together with other statements, pins until it is deallocated",
    enter: (client) => all(client, "SET @text = 'DO 1'; PREPARE unread FROM @text"),
    blocked: "it has statements prepared by PREPARE",
    after: async (client) => {
      await refused(client.connection.query(insert(client, "never")), 1235, "it has statements prepared by PREPARE");
      await refused(all(client, "EXECUTE unread"), 1235, "the prepared text is not known");
      await all(client, "DEALLOCATE PREPARE unread");
      await goesOn(client);
    },
  },
  {
    state: "COM_STMT_SEND_LONG_DATA that waits for its execute goes to the new home",
    raw: true,
    enter: async (client) => {
      const { raw, connection } = client;
      const text = `INSERT INTO orders (client, note) VALUES (${connection.threadId}, ?)`;
      const [prepared] = await raw.ask(command(COM.STMT_PREPARE, text));
      client.pending = prepared?.readUInt32LE(1);
      raw.send(onStatement(COM.STMT_SEND_LONG_DATA, Number(client.pending), Buffer.from("\0\0long ")));
      await raw.ask(command(COM.PING));
    },
    after: async ({ raw, pending, notes }) => {
      raw.send(onStatement(COM.STMT_SEND_LONG_DATA, Number(pending), Buffer.from("\0\0data")));
      const typed = Buffer.from([0, 1, 0, 0, 0, 0, 1, 0xfc, 0]);
      expect((await raw.ask(onStatement(COM.STMT_EXECUTE, Number(pending), typed)))[0]?.[0]).toBe(0);
      expect(await notes()).toEqual({ old: [], new: ["long data"] });
    },
  },
  {
    state: "an open cursor is waited for, until its last row",
    raw: true,
    enter: async (client) => {
      const [prepared] = await client.raw.ask(command(COM.STMT_PREPARE, "SELECT id FROM three"));
      client.pending = prepared?.readUInt32LE(1);
      await client.raw.ask(onStatement(COM.STMT_EXECUTE, Number(client.pending), EXECUTE_WITH_CURSOR));
    },
    open: "a cursor is open",
    end: ({ raw, pending }) => raw.ask(onStatement(COM.STMT_FETCH, Number(pending), Buffer.from([9, 0, 0, 0]))),
    after: async ({ raw, connection, notes }) => {
      await raw.ask(command(COM.QUERY, `INSERT INTO orders (client, note) VALUES (${connection.threadId}, 'free')`));
      expect((await notes()).new).toEqual(["free"]);
    },
  },
  {
    state: "a file that the client is sending is waited for",
    raw: true,
    enter: async ({ raw }) => {
      raw.send(command(COM.QUERY, "LOAD DATA LOCAL INFILE 'x' INTO TABLE orders (client, note)"));
      expect((await raw.next())[0]).toBe(0xfb);
    },
    open: "its client is sending a file (LOAD DATA LOCAL)",
    end: async ({ raw, connection }) => {
      raw.sendFile(Buffer.from(`${connection.threadId}\tof the file\n`), Buffer.alloc(0));
      expect((await raw.next())[0]).toBe(0);
    },
    after: async ({ notes }) => expect(await notes()).toEqual({ old: ["of the file"], new: [] }),
  },
];

export const STATE_ROWS: readonly StateRow[] = [
  ...transactions,
  ...locks,
  ...procedures,
  ...variables,
  ...temporary,
  ...answers,
  ...statements,
];
