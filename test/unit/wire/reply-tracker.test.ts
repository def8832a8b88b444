import { describe, expect, test } from "vitest";
import { CAP, COM, STATUS } from "../../../src/wire/capabilities.ts";
import { buildEof } from "../../../src/wire/eof-packet.ts";
import { buildErr } from "../../../src/wire/err-packet.ts";
import { buildOk } from "../../../src/wire/ok-packet.ts";
import { ReplyTracker } from "../../../src/wire/reply-tracker.ts";

const ok = (status = 2, first: 0x00 | 0xfe = 0x00): Buffer =>
  buildOk(
    { affectedRows: 0, lastInsertId: 0n, status, warnings: 0, info: Buffer.alloc(0), tracks: [] },
    CAP.PROTOCOL_41,
    first,
  );
const error = buildErr({ errno: 1064, sqlState: "42000", message: "no" });
const column = Buffer.from("\x03def", "latin1");
const row = Buffer.from("\x01x", "latin1");

/** Gives packets to a tracker as a walker would, and says what each was. */
function feed(tracker: ReplyTracker, ...payloads: readonly Buffer[]): string[] {
  return payloads.map((payload) => {
    return tracker.wants(payload.length, payload[0] ?? -1) ? tracker.take(payload) : "passed";
  });
}

const deprecated = CAP.PROTOCOL_41 | CAP.DEPRECATE_EOF;

describe("a reply", () => {
  test("of several results ends with the last", () => {
    const tracker = new ReplyTracker(deprecated);
    tracker.start(COM.QUERY);
    const more = STATUS.MORE_RESULTS | STATUS.AUTOCOMMIT;
    expect(feed(tracker, ok(more), Buffer.from([1]), column, row, row, ok(more, 0xfe))).toEqual([
      ...["ok", "columns", "passed", "passed", "passed", "eof"],
    ]);
    expect(tracker.complete).toBe(false);
    expect(feed(tracker, ok(3))).toEqual(["ok"]);
    expect([tracker.complete, tracker.status, tracker.rows, tracker.failed]).toEqual([true, 3, 2, false]);
  });

  test("that breaks off with an error is complete wherever that comes, and keeps the status of before", () => {
    for (const [capabilities, before] of [
      [deprecated, []],
      [deprecated, [Buffer.from([2])]],
      [deprecated, [Buffer.from([2]), column]],
      [deprecated, [Buffer.from([1]), column, row]],
      [CAP.PROTOCOL_41, [Buffer.from([1]), column]],
      [CAP.PROTOCOL_41, [Buffer.from([1]), column, buildEof({ warnings: 0, status: 2 }), row]],
    ] as const) {
      const tracker = new ReplyTracker(capabilities);
      tracker.start(COM.QUERY);
      feed(tracker, ...before);
      expect(tracker.complete).toBe(false);
      const status = tracker.status;
      expect(feed(tracker, error)).toEqual(["error"]);
      expect([tracker.complete, tracker.failed, tracker.status]).toEqual([true, true, status]);
    }
  });

  test("without definitions has the EOF packets that would end them, where there are any", () => {
    const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
    const [eof, opened] = [bytes("fe00000200"), bytes("fe00004200")];
    const prepared = bytes("00020000000100010000000000");
    const optional = CAP.PROTOCOL_41 | CAP.OPTIONAL_RESULTSET_METADATA;
    for (const [capabilities, command, packets, kinds] of [
      [optional, COM.QUERY, [bytes("0100"), eof, row, eof], ["columns", "eof", "passed", "eof"]],
      [optional, COM.STMT_PREPARE, [prepared, eof, eof], ["prepared", "eof", "eof"]],
      [optional, COM.STMT_EXECUTE, [bytes("0100"), opened], ["columns", "eof"]],
      [optional | CAP.DEPRECATE_EOF, COM.QUERY, [bytes("0100"), row, ok(2, 0xfe)], ["columns", "passed", "eof"]],
      [optional | CAP.DEPRECATE_EOF, COM.STMT_PREPARE, [prepared], ["prepared"]],
    ] as const) {
      const tracker = new ReplyTracker(capabilities);
      tracker.start(command);
      expect(feed(tracker, ...packets)).toEqual(kinds);
      expect(tracker.complete).toBe(true);
    }
  });

  test("with a row of 16 MiB is not ended by what looks like an end within it", () => {
    const tracker = new ReplyTracker(deprecated);
    tracker.start(COM.QUERY);
    feed(tracker, Buffer.from([1]), column);
    expect(tracker.wants(0xffffff, 0xfe)).toBe(false);
    expect(tracker.wants(0xffffff, 0xff)).toBe(false);
    expect(tracker.wants(7, 0xfe)).toBe(false);
    expect(tracker.rows).toBe(1);
    expect(tracker.wants(0xffffff, 0x01)).toBe(false);
    expect(tracker.wants(0, -1)).toBe(false);
    expect(tracker.rows).toBe(2);
    expect(feed(tracker, ok(2, 0xfe))).toEqual(["eof"]);
    expect(tracker.complete).toBe(true);
  });

  test("of the old kind is not ended by a row whose first field is long", () => {
    const tracker = new ReplyTracker(CAP.PROTOCOL_41);
    tracker.start(COM.QUERY);
    feed(tracker, Buffer.from([1]), column, buildEof({ warnings: 0, status: 2 }));
    expect(tracker.wants(9, 0xfe)).toBe(false);
    expect(tracker.wants(5, 0xfe)).toBe(true);
  });

  test("with a file goes on after the client has sent it", () => {
    const tracker = new ReplyTracker(deprecated);
    tracker.start(COM.QUERY);
    expect(feed(tracker, Buffer.from("\xfbfile", "latin1"))).toEqual(["local-infile"]);
    expect(tracker.complete).toBe(false);
    expect(feed(tracker, ok())).toEqual(["ok"]);
    expect(tracker.complete).toBe(true);
  });

  test.each([
    [deprecated, 2, 1, [column, column, column]],
    [deprecated, 0, 2, [column, column]],
    [deprecated, 0, 0, []],
    [
      CAP.PROTOCOL_41,
      2,
      1,
      [column, buildEof({ warnings: 0, status: 2 }), column, column, buildEof({ warnings: 0, status: 2 })],
    ],
    [CAP.PROTOCOL_41, 1, 0, [column, buildEof({ warnings: 0, status: 2 })]],
  ] as const)("to a prepare ends with its last definition (%#)", (capabilities, columns, parameters, definitions) => {
    const tracker = new ReplyTracker(capabilities);
    tracker.start(COM.STMT_PREPARE);
    const prepared = Buffer.from([0, 7, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0]);
    expect(feed(tracker, prepared)).toEqual(["prepared"]);
    expect(tracker.prepared).toEqual({ statementId: 7, columns, parameters });
    for (const definition of definitions) {
      expect(tracker.complete).toBe(false);
      feed(tracker, definition);
    }
    expect(tracker.complete).toBe(true);
  });

  test("is not expected for commands that get none", () => {
    const tracker = new ReplyTracker(deprecated);
    for (const command of [COM.STMT_CLOSE, COM.STMT_SEND_LONG_DATA, COM.QUIT]) {
      tracker.start(command);
      expect(tracker.complete).toBe(true);
    }
  });
});

describe("what the protocol does not allow", () => {
  test("is refused: a packet that nobody asked for, unless it is a farewell", () => {
    const tracker = new ReplyTracker(deprecated);
    expect(() => feed(tracker, ok())).toThrow(/WIRE_UNEXPECTED_PACKET/);
    expect(feed(tracker, error)).toEqual(["unsolicited"]);
  });

  test("is refused: a second command before the reply to the first has ended", () => {
    const tracker = new ReplyTracker(deprecated);
    tracker.start(COM.PING);
    expect(() => tracker.start(COM.PING)).toThrow(/WIRE_UNEXPECTED_PACKET/);
  });

  test("is refused: an answer of another kind", () => {
    const tracker = new ReplyTracker(deprecated);
    tracker.start(COM.PING);
    expect(() => feed(tracker, Buffer.from([5]))).toThrow(/WIRE_UNEXPECTED_PACKET/);
  });
});
