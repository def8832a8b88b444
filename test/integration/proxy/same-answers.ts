import { CAP, COM, hasFlag } from "../../../src/wire/capabilities.ts";
import { FIELD } from "../../../src/wire/field-type.ts";
import { PacketWriter } from "../../../src/wire/packet-writer.ts";
import { buildExecute } from "../../../src/wire/prepared-statement.ts";
import { buildQuery } from "../../../src/wire/query-attributes.ts";
import { command, onStatement, type RawClient } from "./raw-client.ts";

/** What is agreed on beside, and without, what every client has; and whether all session trackers are turned on. */
export type CapabilitySet = readonly [name: string, more: number, less: number, tracked?: "tracked"];

/** Capabilities that change what goes over the wire, or what statements mean, by name. */
export const CAPABILITY_SETS: readonly CapabilitySet[] = [
  ["as few as can be", 0, CAP.DEPRECATE_EOF | CAP.MULTI_RESULTS | CAP.PS_MULTI_RESULTS],
  ["no EOF packets", CAP.MULTI_STATEMENTS, 0],
  ["EOF packets", CAP.MULTI_STATEMENTS | CAP.FOUND_ROWS, CAP.DEPRECATE_EOF],
  ["session tracking, EOF packets", CAP.SESSION_TRACK | CAP.MULTI_STATEMENTS, CAP.DEPRECATE_EOF],
  ["session tracking", CAP.SESSION_TRACK | CAP.IGNORE_SPACE, 0],
  ["all session trackers, EOF packets", CAP.SESSION_TRACK, CAP.DEPRECATE_EOF, "tracked"],
  ["all session trackers", CAP.SESSION_TRACK | CAP.MULTI_STATEMENTS, 0, "tracked"],
  ["optional metadata, EOF packets", CAP.OPTIONAL_RESULTSET_METADATA | CAP.MULTI_STATEMENTS, CAP.DEPRECATE_EOF],
  ["optional metadata", CAP.OPTIONAL_RESULTSET_METADATA | CAP.IGNORE_SPACE | CAP.FOUND_ROWS, 0],
  ["query attributes", CAP.QUERY_ATTRIBUTES | CAP.MULTI_STATEMENTS, 0],
  [
    "everything",
    CAP.SESSION_TRACK |
      CAP.OPTIONAL_RESULTSET_METADATA |
      CAP.QUERY_ATTRIBUTES |
      CAP.MULTI_STATEMENTS |
      CAP.FOUND_ROWS |
      CAP.IGNORE_SPACE,
    0,
  ],
];

const EMPTY = Buffer.alloc(0);

/** No SQL, so that nobody knows to which of two servers they belong. */
const NO_SQL = ["nonsense", "SELECT id FROM orders WHERE id = 501; nonsense"];
/** No SQL either, where a space may not stand behind the name of a function. */
const WITH_SPACE = "SELECT COUNT (*) FROM orders WHERE id < 4";

const TRACKERS = `SET session_track_schema = ON, session_track_system_variables = 'autocommit,sql_mode,time_zone,character_set_client,resultset_metadata', session_track_state_change = ON,
  session_track_gtids = OWN_GTID, session_track_transaction_info = CHARACTERISTICS`;

/** Statements by text; those of the first list need no table. */
const ANYWHERE = [
  "DO 1",
  "SELECT 1 AS one, NULL",
  "SELECT nope",
  ...NO_SQL,
  "SET @a = 5",
  "SET SESSION sql_mode = 'ANSI_QUOTES'",
];
const AT_TABLES = [
  "SELECT id, note FROM orders WHERE id < 4 ORDER BY id",
  "SELECT note FROM orders WHERE id = 99",
  "INSERT INTO orders (id, note) VALUES (501, 'a'), (502, 'b')",
  "UPDATE orders SET note = 'a' WHERE id IN (501, 502)",
  "UPDATE orders SET note = 'a' WHERE id IN (501, 502)",
  "INSERT INTO orders (id) VALUES (501)",
  "BEGIN",
  "SELECT note FROM orders WHERE id = 501",
  "DELETE FROM orders WHERE id = 501",
  "ROLLBACK",
  "START TRANSACTION READ ONLY",
  "SELECT note FROM orders WHERE id = 501",
  "COMMIT",
  "BEGIN",
  "COMMIT",
  "BEGIN",
  "SAVEPOINT a",
  "SELECT 1",
  "ROLLBACK TO a",
  "BEGIN",
  "COMMIT AND CHAIN",
  "SELECT note FROM orders WHERE id = 502",
  "ROLLBACK AND CHAIN",
  "SELECT note FROM orders WHERE id = 502 FOR UPDATE",
  "ROLLBACK",
  "SELECT id FROM orders WHERE id = 501; UPDATE orders SET note = 'c' WHERE id = 502; SELECT 7",
  "SET autocommit = 0",
  "SELECT id FROM orders WHERE id = 501",
  "SET autocommit = 1",
  "SELECT LAST_INSERT_ID(), @a FROM orders WHERE id = 501",
  "SHOW COLUMNS FROM orders",
  "USE shop",
  "DELETE FROM orders WHERE id IN (501, 502)",
];

const PREPARED = [
  "SELECT id, note FROM orders WHERE id < ? ORDER BY id",
  "SELECT id FROM orders WHERE id < 3",
  "UPDATE orders SET note = note WHERE id = ?",
  "DO 1",
  "SELECT nope FROM orders",
];

/** For reading only, for update, scrollable, and what else may stand in the flags. Servers have the first. */
const CURSORS = [1, 2, 4, 3, 5, 7];

export type Answers = readonly (readonly [name: string, packets: readonly string[]])[];

export interface Asked {
  readonly tracked: boolean;
  /** The tables have moved: nothing is asked that belongs to no server for sure. */
  readonly moved: boolean;
}

/** Every reply to the same commands, by name, without what differs from run to run. */
export async function answersOf(client: RawClient, { tracked, moved }: Asked): Promise<Answers> {
  const all: [string, string[]][] = [];
  const ask = async (name: string, packet: Buffer): Promise<Buffer[]> => {
    const packets = await client.ask(packet);
    all.push([name, packets.map(shown)]);
    return packets;
  };
  const unknowable = hasFlag(client.capabilities, CAP.IGNORE_SPACE) ? NO_SQL : [...NO_SQL, WITH_SPACE];
  const query = async (text: string): Promise<void> => {
    if (!moved || !unknowable.includes(text)) await ask(text, asQuery(client, text));
  };
  if (tracked) await query(TRACKERS);
  await query(WITH_SPACE);
  for (const text of ANYWHERE) await query(text);
  for (const text of AT_TABLES) await query(text);
  for (const text of PREPARED) await prepared(client, ask, text);
  if (hasFlag(client.capabilities, CAP.OPTIONAL_RESULTSET_METADATA)) {
    await query("SET resultset_metadata = NONE");
    for (const text of [...ANYWHERE, ...AT_TABLES]) await query(text);
    for (const text of PREPARED) await prepared(client, ask, text);
  }
  await ask("COM_PING", command(COM.PING));
  await ask("COM_INIT_DB", command(COM.INIT_DB, "shop"));
  await ask("COM_INIT_DB of none", command(COM.INIT_DB, "nope"));
  await ask("COM_FIELD_LIST", command(COM.FIELD_LIST, "orders\0%"));
  await ask("COM_SET_OPTION", command(COM.SET_OPTION, Buffer.from([0, 0])));
  await query("SELECT id FROM orders WHERE id = 1; DO 1");
  await ask("COM_RESET_CONNECTION", command(COM.RESET_CONNECTION));
  for (const text of ANYWHERE) await query(text);
  await query("SELECT id, note FROM orders WHERE id < 4 ORDER BY id");
  await prepared(client, ask, PREPARED[0] ?? "");
  return all;
}

async function prepared(
  client: RawClient,
  ask: (name: string, packet: Buffer) => Promise<Buffer[]>,
  text: string,
): Promise<void> {
  const [first] = await ask(`prepare ${text}`, command(COM.STMT_PREPARE, text));
  if (first === undefined || first[0] !== 0) return;
  const id = first.readUInt32LE(1);
  const parameters = first.readUInt16LE(7);
  const run = (flags: number): Buffer => {
    const types = Array.from({ length: parameters }, () => ({ type: FIELD.LONG, unsigned: false, name: EMPTY }));
    const values = types.map(() => 4);
    const execute = { statementId: id, flags, iterations: 1, parameters: { newTypes: true, types, values } };
    return buildExecute(execute, client.capabilities);
  };
  await ask(`execute ${text}`, run(0));
  for (const cursor of text === PREPARED[0] ? CURSORS : CURSORS.slice(0, 1)) {
    const opened = await ask(`open ${text} with ${cursor}`, run(cursor));
    if (opened.length > 1) {
      for (const rows of [2, 9, 1]) {
        await ask(`fetch ${rows} of ${text}`, onStatement(COM.STMT_FETCH, id, new PacketWriter().u32(rows).payload()));
      }
    }
    await ask(`reset ${text}`, onStatement(COM.STMT_RESET, id));
  }
  client.send(onStatement(COM.STMT_CLOSE, id));
}

function asQuery(client: RawClient, text: string): Buffer {
  const attributes = { newTypes: false, types: [], values: [] };
  return buildQuery({ attributes, text: Buffer.from(text) }, client.capabilities);
}

function shown(packet: Buffer): string {
  return packet
    .toString("latin1")
    .replace(/([0-9a-f]{8}-[0-9a-f-]{27}):(\d+)/g, (_, uuid, n) => `${uuid}:${"n".repeat(n.length)}`);
}

/** The replies that are not the same, each with what was expected. */
export function differences(got: Answers, expected: Answers): string[] {
  return expected.flatMap(([name, packets], at) => {
    const [, answered = []] = got[at] ?? [];
    const same = packets.length === answered.length && packets.every((packet, index) => packet === answered[index]);
    return same ? [] : [`${at} ${name}: ${JSON.stringify(answered)}, expected ${JSON.stringify(packets)}`];
  });
}
