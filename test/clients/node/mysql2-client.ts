import { createRequire } from "node:module";
import type { Connection as CallbackConnection } from "mysql2";
import mysql, { type Connection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { ASKED, ATTRIBUTES, EVERY_LITERAL, EVERY_VALUE, say, writeUntilStopped } from "./common.ts";

/** The common script, and the writes across a switch, through mysql2. See `../README.md`. */

const { client } = ASKED;
const OWN = `own_${client}`;
const INSERT = "INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)";

const connection = await mysql.createConnection({
  ...ASKED.account,
  database: "ledger",
  multipleStatements: true,
  supportBigNumbers: true,
  compress: ASKED.compress,
  connectAttributes: { program_name: "common-script" },
  ...(ASKED.tls ? { ssl: { rejectUnauthorized: false } } : {}),
});

async function rows(sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  return (await connection.query<RowDataPacket[]>(sql, values))[0];
}

async function run(sql: string, values: unknown[] = []): Promise<ResultSetHeader> {
  return (await connection.query<ResultSetHeader>(sql, values))[0];
}

async function failure(sql: string): Promise<unknown> {
  return connection.query(sql).then(
    () => "no error",
    ({ code, errno, sqlState, message }) => ({ code, errno, sqlState, message }),
  );
}

async function values(): Promise<void> {
  const found = `SELECT * FROM value WHERE client = ${client} AND id BETWEEN ? AND ? ORDER BY id`;
  const marks = EVERY_VALUE.map(() => "?").join(", ");
  await run(`DELETE FROM value WHERE client = ${client}`);
  await run(`INSERT INTO value VALUES (${client}, 1, ${EVERY_LITERAL})`);
  await run(`INSERT INTO value (client, id) VALUES (${client}, 2)`);
  say("text", ...(await rows(found, [1, 2])));
  await run(`INSERT INTO value VALUES (?, ?, ${marks})`, [client, 3, ...EVERY_VALUE]);
  say("client-side", ...(await rows(found, [3, 3])));
  const whole = EVERY_VALUE.map((value) => (typeof value === "bigint" ? String(value) : value)) as string[];
  await connection.execute(`INSERT INTO value VALUES (?, ?, ${marks})`, [client, 4, ...whole]);
  const insert = await connection.prepare("INSERT INTO value (client, id, name) VALUES (?, ?, ?)");
  for (const [id, name] of [
    [5, null],
    [6, ""],
  ])
    await insert.execute([client, id, name] as string[]);
  await insert.close();
  say("server-side", (await connection.execute(found, [4, 6]))[0]);
}

async function transactions(): Promise<void> {
  const name = `SELECT name FROM value WHERE client = ${client} AND id = 2`;
  const change = `UPDATE value SET name = ? WHERE client = ${client} AND id = 2`;
  await connection.beginTransaction();
  await run(change, ["kept"]);
  await connection.commit();
  say("commit", await rows(name));
  await connection.beginTransaction();
  await connection.execute(change, ["undone"]);
  const within = await rows(name);
  await connection.rollback();
  say("rollback", within, await rows(name));
  await run("BEGIN");
  await run(change, ["first"]);
  await run("SAVEPOINT here");
  await run(change, ["second"]);
  await run("ROLLBACK TO SAVEPOINT here");
  await run("COMMIT");
  say("savepoint", await rows(name));
}

async function answers(): Promise<void> {
  const own = await run(`INSERT INTO ${OWN} (name) VALUES ('a'), ('b'), ('c')`);
  const { insertId } = await run(INSERT, [-client, 1, "script"]);
  const [asked] = await rows("SELECT LAST_INSERT_ID() AS id");
  const [stored] = await rows("SELECT MAX(id) AS id FROM entry WHERE client = ?", [-client]);
  say("last-insert-id", own.insertId, own.info, insertId === asked?.["id"] && insertId === stored?.["id"]);
  const change = `UPDATE ${OWN} SET more = 8`;
  say("affected", await run(change), await run(change));
  const ignored = await run(`INSERT IGNORE INTO value (client, id, name) VALUES (${client}, 1, 'again')`);
  say("warnings", ignored.warningStatus, ignored.affectedRows, await rows("SHOW WARNINGS"));
  say("duplicate", await failure(`INSERT INTO value (client, id) VALUES (${client}, 1)`));
  say("no-table", await failure("SELECT * FROM nowhere"), await failure("SELECT FROM WHERE"));
}

async function manyResults(): Promise<void> {
  const several = `SELECT 1, 'one'; UPDATE ${OWN} SET more = 9 WHERE id = 1; SELECT id, more FROM ${OWN}`;
  say("multi", (await connection.query(several))[0]);
  let count = 0;
  let total = 0;
  // Only the connection with callbacks streams; its types do not tell of the one within.
  const { connection: plain } = connection as unknown as { readonly connection: CallbackConnection };
  const stream = plain.query("SELECT id, text FROM many ORDER BY id").stream();
  for await (const row of stream as AsyncIterable<{ id: number; text: string }>) {
    count += 1;
    total += row.id * row.text.length;
  }
  say("many", count, total);
}

async function session(): Promise<void> {
  await run("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
  say("settings", await rows(`SELECT "stamp", @@time_zone FROM "value" WHERE client = ${client} AND id = 1`));
  await connection.ping();
  say("ping", true);
  await run("SET @x = 5");
  await connection.reset();
  const after = await rows("SELECT @x, DATABASE(), @@time_zone");
  await run("SET @x = 5");
  await connection.changeUser({ user: ASKED.account.user, password: ASKED.account.password, database: "ledger" });
  say("reset", after, await rows("SELECT @x, DATABASE(), @@time_zone"));
}

async function script(): Promise<void> {
  const { version } = createRequire(import.meta.url)("mysql2/package.json") as { version: string };
  process.stdout.write(`client\t${version}\n`);
  say("hello", await rows("SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"));
  say("attributes", await rows(ATTRIBUTES));
  await run(`DROP TABLE IF EXISTS ${OWN}`);
  await run(`CREATE TABLE ${OWN} (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)`);
  await run(`ALTER TABLE ${OWN} ADD COLUMN more INT DEFAULT 7`);
  say("ddl", await rows(`SHOW COLUMNS FROM ${OWN}`));
  await values();
  await transactions();
  await answers();
  await manyResults();
  await session();
}

async function write(to: Connection, sequence: number): Promise<unknown> {
  if (sequence % 2 === 0) {
    await to.execute(INSERT, [client, sequence, "autocommit"]);
  } else {
    await to.beginTransaction();
    await to.query(INSERT, [client, sequence, "transaction"]);
    await to.execute("UPDATE counter SET n = n + 1 WHERE client = ?", [client]);
    await to.commit();
  }
  const copies = "SELECT COUNT(*) AS copies FROM entry WHERE client = ? AND sequence = ?";
  const [[row]] = await to.execute<RowDataPacket[]>(copies, [client, sequence]);
  return row?.["copies"];
}

await (ASKED.mode === "writes" ? writeUntilStopped((sequence) => write(connection, sequence)) : script());
await connection.end();
