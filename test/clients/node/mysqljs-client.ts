import { createRequire } from "node:module";
import type mysqljs from "mysql";
import { ASKED, ATTRIBUTES, EVERY_LITERAL, EVERY_VALUE, say, writeUntilStopped } from "./common.ts";

/**
 * The common script, and the writes across a switch, through mysqljs. Today's servers do not let it in, so at the server
 * itself mysql2 stands in, which kept its interface (`LIBRARY`). See `../README.md`.
 */

const require = createRequire(import.meta.url);
const LIBRARY = process.env["LIBRARY"] ?? "mysql";
const mysql = require(LIBRARY) as typeof mysqljs;
const { client } = ASKED;
const OWN = `own_${client}`;
const INSERT = "INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)";

interface Written {
  readonly affectedRows: number;
  readonly changedRows: number;
  readonly insertId: number;
}

const connection = mysql.createConnection({
  ...ASKED.account,
  database: "ledger",
  charset: "utf8mb4",
  multipleStatements: true,
  supportBigNumbers: true,
  dateStrings: true,
  // mysql2 alone knows of JSON, and would give it as an object.
  ...(LIBRARY === "mysql2" ? { jsonStrings: true } : {}),
});

function ask<Answer = readonly Readonly<Record<string, unknown>>[]>(
  sql: string,
  values: readonly unknown[] = [],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    connection.query(sql, values, (error, found: Answer) => (error ? reject(error) : resolve(found)));
  });
}

async function failure(sql: string): Promise<unknown> {
  return ask(sql).then(
    () => "no error",
    // The text before the server's own is the library's.
    ({ code, errno, sqlState, sqlMessage }) => ({ code, errno, sqlState, sqlMessage }),
  );
}

/** Calls a method of the connection that tells of its end through a callback. */
function done(call: (told: (error: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
}

async function values(): Promise<void> {
  const found = `SELECT * FROM value WHERE client = ${client} AND id BETWEEN ? AND ? ORDER BY id`;
  // It knows no big integers of the language, and writes text where they stand.
  const simple = EVERY_VALUE.map((value) => (typeof value === "bigint" ? String(value) : value));
  await ask(`DELETE FROM value WHERE client = ${client}`);
  await ask(`INSERT INTO value VALUES (${client}, 1, ${EVERY_LITERAL})`);
  await ask(`INSERT INTO value (client, id) VALUES (${client}, 2)`);
  say("text", ...(await ask(found, [1, 2])));
  await ask("INSERT INTO value VALUES (?)", [[client, 3, ...simple]]);
  await ask("INSERT INTO value SET ?", [{ client, id: 4, name: "", flags: null }]);
  say("client-side", ...(await ask(found, [3, 4])));
}

async function transactions(): Promise<void> {
  const name = `SELECT name FROM value WHERE client = ${client} AND id = 2`;
  const change = `UPDATE value SET name = ? WHERE client = ${client} AND id = 2`;
  await done((told) => connection.beginTransaction(told));
  await ask(change, ["kept"]);
  await done((told) => connection.commit(told));
  say("commit", await ask(name));
  await done((told) => connection.beginTransaction(told));
  await ask(change, ["undone"]);
  const within = await ask(name);
  await done((told) => connection.rollback(told));
  say("rollback", within, await ask(name));
  await ask("BEGIN");
  await ask(change, ["first"]);
  await ask("SAVEPOINT here");
  await ask(change, ["second"]);
  await ask("ROLLBACK TO SAVEPOINT here");
  await ask("COMMIT");
  say("savepoint", await ask(name));
}

async function answers(): Promise<void> {
  const own = await ask<Written>(`INSERT INTO ${OWN} (name) VALUES ('a'), ('b'), ('c')`);
  const { insertId } = await ask<Written>(INSERT, [-client, 1, "script"]);
  const [asked] = await ask("SELECT LAST_INSERT_ID() AS id");
  const [stored] = await ask("SELECT MAX(id) AS id FROM entry WHERE client = ?", [-client]);
  say("last-insert-id", own.insertId, insertId === asked?.["id"] && insertId === stored?.["id"]);
  const change = `UPDATE ${OWN} SET more = 8`;
  const counts = ({ affectedRows, changedRows }: Written): unknown => ({ affectedRows, changedRows });
  say("affected", counts(await ask<Written>(change)), counts(await ask<Written>(change)));
  const ignored = await ask<Written>(`INSERT IGNORE INTO value (client, id, name) VALUES (${client}, 1, 'again')`);
  say("warnings", ignored.affectedRows, await ask("SHOW WARNINGS"));
  say("duplicate", await failure(`INSERT INTO value (client, id) VALUES (${client}, 1)`));
  say("no-table", await failure("SELECT * FROM nowhere"), await failure("SELECT FROM WHERE"));
}

async function manyResults(): Promise<void> {
  const [first, second, third] = await ask<[unknown, Written, unknown]>(
    `SELECT 1, 'one'; UPDATE ${OWN} SET more = 9 WHERE id = 1; SELECT id, more FROM ${OWN}`,
  );
  say("multi", first, second.affectedRows, third);
  let count = 0;
  let total = 0;
  await new Promise((resolve, reject) => {
    const stream = connection.query("SELECT id, text FROM many ORDER BY id");
    stream.on("result", (row: { readonly id: number; readonly text: string }) => {
      count += 1;
      total += row.id * row.text.length;
    });
    stream.on("error", reject);
    stream.on("end", resolve);
  });
  say("many", count, total);
}

async function session(): Promise<void> {
  await ask("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
  say("settings", await ask(`SELECT "stamp", @@time_zone FROM "value" WHERE client = ${client} AND id = 1`));
  await done((told) => connection.ping(told));
  say("ping", true);
  await ask("SET @x = 5");
  const { user, password } = ASKED.account;
  await done((told) => connection.changeUser({ user, password, database: "ledger" }, told));
  say("reset", await ask("SELECT @x, DATABASE(), @@time_zone"));
}

async function script(): Promise<void> {
  const { version } = require(`${LIBRARY}/package.json`) as { version: string };
  process.stdout.write(`client\t${version}\n`);
  say("hello", await ask("SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"));
  // It sends none, and mysql2 sends its own.
  say("attributes", LIBRARY === "mysql" ? await ask(ATTRIBUTES) : []);
  await ask(`DROP TABLE IF EXISTS ${OWN}`);
  await ask(`CREATE TABLE ${OWN} (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)`);
  await ask(`ALTER TABLE ${OWN} ADD COLUMN more INT DEFAULT 7`);
  say("ddl", await ask(`SHOW COLUMNS FROM ${OWN}`));
  await values();
  await transactions();
  await answers();
  await manyResults();
  await session();
}

async function write(sequence: number): Promise<unknown> {
  if (sequence % 2 === 0) {
    await ask(INSERT, [client, sequence, "autocommit"]);
  } else {
    await done((told) => connection.beginTransaction(told));
    await ask(INSERT, [client, sequence, "transaction"]);
    await ask("UPDATE counter SET n = n + 1 WHERE client = ?", [client]);
    await done((told) => connection.commit(told));
  }
  const copies = "SELECT COUNT(*) AS copies FROM entry WHERE client = ? AND sequence = ?";
  return (await ask(copies, [client, sequence]))[0]?.["copies"];
}

await done((told) => connection.connect(told));
await (ASKED.mode === "writes" ? writeUntilStopped(write) : script());
await done((told) => connection.end(told));
