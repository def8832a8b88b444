import mysql, { type Connection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BlockedSession } from "../../../src/rules/proxy-document.ts";
import { withBehind } from "../../../src/rules/rules-edits.ts";
import { CAP } from "../../../src/wire/capabilities.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import {
  abort,
  arm,
  disarm,
  drained,
  type Harness,
  hold,
  PASSWORD,
  seed,
  startHarness,
  swap,
  USER,
} from "./proxy-harness.ts";
import { RawClient } from "./raw-client.ts";
import { type Client, STATE_ROWS, type StateRow } from "./state-rows.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
const opened: { destroy(): void }[] = [];
const clients = new Map<StateRow, Client>();
/** What the worker has told of the sessions, in the middle of the move. */
let blocked: readonly BlockedSession[] = [];
let open: readonly BlockedSession[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"], { args: ["--local-infile=ON"] });
  await seed(servers);
  for (const server of Object.values(servers)) {
    await server.root(`
      CREATE TABLE shop.spare (id INT);
      CREATE TABLE shop.more (id INT);
      CREATE TABLE shop.taken (id INT PRIMARY KEY);
      INSERT INTO shop.taken VALUES (1);
      CREATE TABLE shop.three (id INT PRIMARY KEY, note VARCHAR(20));
      INSERT INTO shop.three VALUES (1, 'a'), (2, 'b'), (3, 'c');
      CREATE PROCEDURE shop.remembers() SET @kept = 1.25;
      CREATE PROCEDURE shop.unread() BEGIN END;
      CREATE PROCEDURE shop.takes_lock() DO GET_LOCK('by call', 0);
      CREATE PROCEDURE shop.makes_and_fails() BEGIN
        CREATE TEMPORARY TABLE in_call (id INT);
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'as planned';
      END;
      CREATE ROLE clerk;
      GRANT clerk TO ${USER}@'%';
      GRANT RELOAD, BACKUP_ADMIN, SESSION_VARIABLES_ADMIN ON *.* TO ${USER}@'%';
    `);
  }
  harness = await startHarness(servers);
});

/**
 * 1. Every client is in its state.
 * 2. The hold of `shop.orders` comes: the worker says for whom it waits, and why.
 * 3. Who is waited for ends what it has open, and the hold drains.
 * 4. The table moves.
 */
async function move(): Promise<void> {
  const { host, port } = servers.old;
  const bystander = await mysql.createConnection({ host, port, user: USER, password: PASSWORD, database: "shop" });
  opened.push(bystander);
  await bystander.query("DO GET_LOCK('gate', 0)");
  await bystander.query("BEGIN");
  await bystander.query("SELECT * FROM taken FOR UPDATE");
  for (const row of STATE_ROWS) clients.set(row, await newClient(row, bystander));
  await inTurn((row, client) => row.enter(client));
  // What the controller finds when a migration is armed.
  const known = { routines: { "shop.remembers": [] }, leaves: { "shop.remembers": ["@kept"] } };
  await harness.change((rules) => withBehind(rules, { old: { views: {}, triggers: {}, ...known } }));
  blocked = (await arm(harness)).armed["orders"]?.blocked ?? [];
  await hold(harness);
  const told = (await harness.document()).holds["orders"];
  open = told?.open ?? [];
  expect(told?.state).toBe("holding");
  await inTurn((row, client) => row.end?.(client));
  await drained(harness);
  await swap(harness);
  await disarm(harness);
}

afterAll(async () => {
  for (const client of opened) client.destroy();
  await harness?.close();
  await stopServers(servers);
});

async function user(): Promise<Connection> {
  const connection = await harness.connect({ multipleStatements: true });
  connection.on("error", () => undefined);
  opened.push(connection);
  await connection.query("SELECT COUNT(*) FROM orders");
  return connection;
}

async function newClient(row: StateRow, bystander: Connection): Promise<Client> {
  const connection = await user();
  const written = (name: "old" | "new") =>
    servers[name].root(`SELECT note FROM shop.orders WHERE client = ${connection.threadId} ORDER BY id`);
  const notes = async () => ({
    old: (await written("old")).map(({ note }) => note),
    new: (await written("new")).map(({ note }) => note),
  });
  const common = { connection, bystander, notes, servers };
  if (row.raw !== true) return { ...common, raw: undefined as unknown as RawClient };
  const raw = await RawClient.connect(harness.port, CAP.LOCAL_FILES);
  opened.push({ destroy: () => raw.close() });
  return { ...common, raw };
}

async function inTurn(step: (row: StateRow, client: Client) => Promise<unknown> | undefined): Promise<void> {
  for (const [row, client] of clients) {
    await step(row, client)?.catch((cause: unknown) => {
      throw new Error(`${row.state}: ${String(cause)}`, { cause });
    });
  }
}

/** What was said of the client of this row; of raw clients, what has the reason that only one of them can have. */
function saidOf(row: StateRow, said: readonly BlockedSession[], reason: string | undefined): readonly string[] {
  const id = String(clients.get(row)?.connection.threadId);
  const own =
    row.raw === true ? said.filter((one) => one.reason === reason) : said.filter(({ session }) => session === id);
  return own.map((one) => one.reason);
}

describe("locks of the whole server", () => {
  test.each([
    ["FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES", "it has locked tables by FLUSH"],
    ["LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE", "it has locked the server for a backup"],
  ])("%s is waited for until %s", async (take, giveBack, reason) => {
    const token = `attempt-${take}`;
    const one = await harness.connect();
    opened.push(one);
    await one.query(take);
    await arm(harness, token);
    await hold(harness, { token });
    expect((await harness.document()).holds["orders"]).toMatchObject({ state: "holding", open: [{ reason }] });
    await one.query(giveBack);
    await drained(harness);
    await abort(harness, token);
  });
});

describe("a session whose tables move while it is in this state", () => {
  beforeAll(move);

  test.each(STATE_ROWS.map((row) => [row.state, row] as const))("%s", async (_, row) => {
    expect(saidOf(row, blocked, row.blocked)).toEqual(row.blocked === undefined ? [] : [row.blocked]);
    expect(saidOf(row, open, row.open)).toEqual(row.open === undefined ? [] : [row.open]);
    const client = clients.get(row);
    if (client === undefined) throw new Error("no client");
    await row.after(client);
  });
});
