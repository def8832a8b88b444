import { CAP, COM, STATUS } from "../../../src/wire/capabilities.ts";
import { buildColumnDefinition } from "../../../src/wire/column-definition.ts";
import { buildEof } from "../../../src/wire/eof-packet.ts";
import { buildErr } from "../../../src/wire/err-packet.ts";
import { FIELD } from "../../../src/wire/field-type.ts";
import { buildOk } from "../../../src/wire/ok-packet.ts";
import { buildPrepareOk } from "../../../src/wire/prepared-statement.ts";
import { buildTextRow } from "../../../src/wire/text-row.ts";
import type { Random } from "../random.ts";

const EMPTY = Buffer.alloc(0);
const CAPABILITIES = CAP.PROTOCOL_41 | CAP.TRANSACTIONS;

const PLAIN_OK = {
  ...{ affectedRows: 1, lastInsertId: 1n, status: STATUS.AUTOCOMMIT, warnings: 0, info: EMPTY },
  tracks: [],
};

const COLUMN = buildColumnDefinition({
  ...{ schema: "fuzz", table: "t", orgTable: "t", name: "v", orgName: "v" },
  ...{ charset: 45, length: 1000, type: FIELD.VAR_STRING, flags: 0, decimals: 0 },
});

export function ok(status: number = STATUS.AUTOCOMMIT): Buffer {
  return buildOk({ ...PLAIN_OK, status }, CAPABILITIES);
}

export function err(errno = 1064): Buffer {
  return buildErr({ errno, sqlState: "42000", message: "a hostile server says no" });
}

function eof(status: number = STATUS.AUTOCOMMIT): Buffer {
  return buildEof({ warnings: 0, status });
}

/** The packets of a good answer to a command; text and binary rows are not told apart, since nobody looks. */
export function replyTo(command: Buffer, deprecateEof: boolean): Buffer[] {
  const columnsEnd = deprecateEof ? [] : [eof()];
  const rowsEnd = deprecateEof ? buildOk(PLAIN_OK, CAPABILITIES, 0xfe) : eof();
  switch (command[0]) {
    case COM.QUERY:
    case COM.STMT_EXECUTE: {
      const text = command.toString("latin1", 1, 80);
      if (!/select|show/i.test(text) && command[0] === COM.QUERY) return [ok()];
      return [Buffer.from([1]), COLUMN, ...columnsEnd, buildTextRow(["x"]), buildTextRow([null]), rowsEnd];
    }
    case COM.STMT_PREPARE: {
      const prepared = { statementId: 1, columns: 1, parameters: 1, warnings: 0 };
      return [buildPrepareOk(prepared, CAPABILITIES), COLUMN, ...columnsEnd, COLUMN, ...columnsEnd];
    }
    case COM.STMT_CLOSE:
    case COM.STMT_SEND_LONG_DATA:
    case COM.QUIT:
      return [];
    case COM.STATISTICS:
      return [Buffer.from("Uptime: 1")];
    default:
      return [ok()];
  }
}

/** A lie in the place of, or among, the packets of a good answer. */
export function lieAbout(good: readonly Buffer[], random: Random): Buffer[] {
  const lie = random.pick(LIES) ?? ((packets: readonly Buffer[]) => [...packets]);
  return lie(good, random);
}

type Lie = (good: readonly Buffer[], random: Random) => Buffer[];

function column(count: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xfe;
  bytes.writeBigUInt64LE(BigInt(count), 1);
  return bytes;
}

/** More than anybody may keep for a client that does not read it, or for an answer that nobody has asked for. */
const ENDLESS = 20_000;

const LIES: readonly Lie[] = [
  () => [Buffer.concat([Buffer.from([0xfb]), Buffer.from("/etc/passwd")])],
  (good) => [...good, Buffer.concat([Buffer.from([0xfb]), Buffer.from("/etc/passwd")])],
  () => [ok(STATUS.AUTOCOMMIT | STATUS.MORE_RESULTS)],
  () => [ok(STATUS.IN_TRANS)],
  () => [eof()],
  (good) => [...good, ok()],
  (good) => [...good, err()],
  (good) => good.slice(0, 1),
  (good) => good.slice(1),
  (good, random) => good.toSpliced(random.below(good.length + 1), 0, err()),
  (good, random) => good.toSpliced(random.below(good.length + 1), 0, ok()),
  (good, random) => good.toSpliced(random.below(good.length + 1), 1, EMPTY),
  (good) => good.toReversed(),
  (good) => [column(2 ** 40), ...good.slice(1)],
  (good) => [column(3), ...good.slice(1)],
  (good) => [Buffer.from([0]), ...good.slice(1)],
  () => [column(ENDLESS * 2), ...Array.from({ length: ENDLESS }, () => COLUMN)],
  () => [Buffer.from([1]), COLUMN, ...Array.from({ length: ENDLESS }, () => buildTextRow(["x".repeat(400)]))],
  () => [Buffer.from([0xff])],
  () => [Buffer.from([0xff, 1])],
  () => [Buffer.alloc(2_000_000, 0x00)],
  (good) => good.flatMap((packet) => [packet, packet]),
];
