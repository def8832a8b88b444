import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { buildChangeUser } from "../../../src/wire/change-user.ts";
import { PacketWriter } from "../../../src/wire/packet-writer.ts";
import type { Random } from "../random.ts";
import { ACCOUNT } from "./account.ts";

/** Capabilities of which a hostile client has some; what it says that it has, and what it does, need not agree. */
export const BASE =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_ATTRS |
  CAP.TRANSACTIONS |
  CAP.MULTI_STATEMENTS |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS;
export const SOME = [CAP.DEPRECATE_EOF, CAP.SESSION_TRACK, CAP.QUERY_ATTRIBUTES, CAP.LOCAL_FILES, CAP.FOUND_ROWS];

/** Statements that reach every way through the proxy, well formed for the most part. */
const TEXTS: readonly (string | Buffer)[] = [
  "SELECT 1",
  "SELECT * FROM fuzz.numbers",
  "SELECT a.n, b.n, REPEAT('x', 2000) FROM fuzz.numbers a JOIN fuzz.numbers b LIMIT 3000",
  "SELECT n FROM fuzz.numbers WHERE n = 7; SELECT 2; SELECT no_such_column",
  "INSERT INTO fuzz.t (v) VALUES ('x'), ('y')",
  "UPDATE fuzz.t SET v = 'z' WHERE id = 1",
  "BEGIN",
  "START TRANSACTION WITH CONSISTENT SNAPSHOT",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT s",
  "ROLLBACK TO SAVEPOINT nowhere",
  "SET @a = 1, @b := 'é', sql_mode = 'ANSI_QUOTES'",
  "SET NAMES gbk",
  "SET autocommit = 0",
  "SET SESSION max_execution_time = 1",
  "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
  "CREATE TEMPORARY TABLE fuzz.mine (a INT)",
  "LOCK TABLES fuzz.t READ",
  "UNLOCK TABLES",
  "SELECT GET_LOCK('fuzz', 0)",
  "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE fuzz.t (v)",
  "USE fuzz",
  "USE `no such schema`",
  "PREPARE p FROM 'SELECT ?'",
  "EXECUTE p USING @a",
  "DEALLOCATE PREPARE p",
  "CALL fuzz.nowhere(1)",
  "XA START 'x'",
  "XA END 'x'",
  "XA ROLLBACK 'x'",
  "HANDLER fuzz.t OPEN",
  "SHOW WARNINGS",
  "SHOW PROCESSLIST",
  "SELECT SLEEP(0.2)",
  "SELECT CONNECTION_ID(), LAST_INSERT_ID(), FOUND_ROWS()",
  "KILL QUERY CONNECTION_ID()",
  "/*!80000 SELECT */ 1 /* unterminated",
  "SELECT 'unterminated",
  'SELECT "\0"',
  Buffer.from([0x53, 0x45, 0x4c, 0x45, 0x43, 0x54, 0x20, 0xff, 0xfe, 0xc0, 0x80, 0x27, 0xed, 0xa0, 0x80]),
  `SELECT ${"(".repeat(4000)}1${")".repeat(4000)}`,
  `SELECT 1 FROM ${"(SELECT 1 FROM ".repeat(500)}fuzz.t${") x".repeat(500)}`,
  `SELECT ${"1,".repeat(20_000)}1`,
  `WITH ${Array.from({ length: 200 }, (_, at) => `c${at} AS (SELECT 1)`).join(",")} SELECT 1`,
  `INSERT INTO fuzz.t (v) VALUES ('${"y".repeat(300_000)}')`,
  "",
  ";;;;",
];

function query(text: string | Buffer): Buffer {
  return new PacketWriter().u8(COM.QUERY).bytes(text).payload();
}

function onStatement(command: number, id: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  return new PacketWriter().u8(command).u32(id).bytes(rest).payload();
}

const ONE_PARAMETER = Buffer.from([0, 1, 0, 0, 0, 0, 1, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0]);

/** One command of each kind, well formed; their bytes are then changed or not. */
export function commandCorpus(): Buffer[] {
  const prepare = (text: string): Buffer => new PacketWriter().u8(COM.STMT_PREPARE).bytes(text).payload();
  const changeUser = buildChangeUser(
    {
      user: Buffer.from(ACCOUNT.user),
      authResponse: Buffer.alloc(32, 7),
      database: Buffer.from("fuzz"),
      collation: 45,
      authPlugin: "caching_sha2_password",
      attributes: new Map([["program_name", "fuzz"]]),
    },
    BASE,
  );
  return [
    ...TEXTS.map(query),
    prepare("SELECT ? + 1"),
    prepare("INSERT INTO fuzz.t (v) VALUES (?)"),
    prepare("SELECT * FROM fuzz.numbers WHERE n > ?"),
    prepare("garbage ?"),
    ...[1, 2, 3].map((id) => onStatement(COM.STMT_EXECUTE, id, ONE_PARAMETER)),
    onStatement(COM.STMT_EXECUTE, 1, Buffer.from([1, 1, 0, 0, 0, 0, 1, 253, 0, 250])),
    onStatement(COM.STMT_SEND_LONG_DATA, 1, Buffer.concat([Buffer.from([0, 0]), Buffer.alloc(2000, 0x61)])),
    onStatement(COM.STMT_FETCH, 1, Buffer.from([10, 0, 0, 0])),
    onStatement(COM.STMT_RESET, 1),
    onStatement(COM.STMT_CLOSE, 1),
    changeUser,
    Buffer.concat([Buffer.from([COM.FIELD_LIST]), Buffer.from("t\0%")]),
    Buffer.concat([Buffer.from([COM.INIT_DB]), Buffer.from("fuzz")]),
    Buffer.from([COM.SET_OPTION, 0, 0]),
    Buffer.from([COM.SET_OPTION, 1, 0]),
    ...Array.from({ length: 0x22 }, (_, command) => Buffer.from([command])).filter(([one]) => one !== COM.QUIT),
    Buffer.alloc(0),
  ];
}

/** A command that names a session by its number: most often one that somebody has. */
export function killCommand(random: Random): Buffer {
  const id = random.below(random.below(2) === 0 ? 200 : 0xffff_ffff);
  const how = random.pick(["KILL", "KILL QUERY", "KILL CONNECTION"]) ?? "KILL";
  return random.below(4) === 0 ? new PacketWriter().u8(COM.PROCESS_KILL).u32(id).payload() : query(`${how} ${id}`);
}

export { query };
