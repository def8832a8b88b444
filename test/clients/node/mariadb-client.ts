import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import mariadb from "mariadb";
import { ASKED, ATTRIBUTES, EVERY_LITERAL, EVERY_VALUE, say, writeUntilStopped } from "./common.ts";

/** The common script, and the writes across a switch, through MariaDB Connector/Node.js. See `../README.md`. */

const { client } = ASKED;
const OWN = `own_${client}`;
const INSERT = "INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)";

interface Written {
  readonly affectedRows: number;
  readonly insertId: bigint;
  readonly warningStatus: number;
}

const connection = await mariadb.createConnection({
  ...ASKED.account,
  database: "ledger",
  multipleStatements: true,
  dateStrings: true,
  compress: ASKED.compress,
  allowPublicKeyRetrieval: true,
  connectAttributes: { program_name: "common-script" },
  ...(ASKED.tls ? { ssl: { rejectUnauthorized: false } } : {}),
});

function rows(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  return connection.query(sql, values);
}

function run(sql: string, values: readonly unknown[] = []): Promise<Written> {
  return connection.query(sql, values);
}

async function failure(sql: string): Promise<unknown> {
  return connection.query(sql).then(
    () => "no error",
    ({ code, errno, sqlState, sqlMessage }) => ({ code, errno, sqlState, sqlMessage }),
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
  await connection.execute(`INSERT INTO value VALUES (?, ?, ${marks})`, [client, 4, ...EVERY_VALUE]);
  // Where it can, it sends several executes at once, without waiting for answers.
  await connection.batch("INSERT INTO value (client, id, name) VALUES (?, ?, ?)", [
    [client, 5, null],
    [client, 6, ""],
  ]);
  const prepared = await connection.prepare(found);
  say("server-side", await prepared.execute([4, 6]), await prepared.execute([5, 5]));
  prepared.close();
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
  say("last-insert-id", own.insertId, insertId === asked?.["id"] && insertId === stored?.["id"]);
  const change = `UPDATE ${OWN} SET more = 8`;
  say("affected", await run(change), await run(change));
  const ignored = await run(`INSERT IGNORE INTO value (client, id, name) VALUES (${client}, 1, 'again')`);
  say("warnings", ignored.warningStatus, ignored.affectedRows, await rows("SHOW WARNINGS"));
  say("duplicate", await failure(`INSERT INTO value (client, id) VALUES (${client}, 1)`));
  say("no-table", await failure("SELECT * FROM nowhere"), await failure("SELECT FROM WHERE"));
}

async function manyResults(): Promise<void> {
  const several = `SELECT 1, 'one'; UPDATE ${OWN} SET more = 9 WHERE id = 1; SELECT id, more FROM ${OWN}`;
  say("multi", await connection.query(several));
  let count = 0;
  let total = 0;
  const stream = connection.queryStream("SELECT id, text FROM many ORDER BY id");
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
}

async function script(): Promise<void> {
  // Its manifest is not to be imported.
  const entry = createRequire(import.meta.url).resolve("mariadb");
  const { version } = JSON.parse(readFileSync(join(dirname(entry), "../package.json"), "utf8")) as { version: string };
  process.stdout.write(`client\t${version}\n`);
  say("hello", await rows("SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"));
  say("attributes", connection.serverVersion(), await rows(ATTRIBUTES));
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

async function write(sequence: number): Promise<unknown> {
  if (sequence % 2 === 0) {
    await connection.execute(INSERT, [client, sequence, "autocommit"]);
  } else {
    await connection.beginTransaction();
    await run(INSERT, [client, sequence, "transaction"]);
    await connection.execute("UPDATE counter SET n = n + 1 WHERE client = ?", [client]);
    await connection.commit();
  }
  const copies = "SELECT COUNT(*) AS copies FROM entry WHERE client = ? AND sequence = ?";
  const [row] = (await connection.execute(copies, [client, sequence])) as { copies: bigint }[];
  return row?.copies;
}

await (ASKED.mode === "writes" ? writeUntilStopped(write) : script());
await connection.end();
