import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { parseAuthMoreData, parseAuthSwitch } from "../../../src/wire/auth-packets.ts";
import { CAP, COM, STATUS } from "../../../src/wire/capabilities.ts";
import { parseChangeUser } from "../../../src/wire/change-user.ts";
import { parseColumnDefinition } from "../../../src/wire/column-definition.ts";
import { parseEof } from "../../../src/wire/eof-packet.ts";
import { buildErr, parseErr } from "../../../src/wire/err-packet.ts";
import { parseGreeting } from "../../../src/wire/greeting.ts";
import { parseHandshakeResponse } from "../../../src/wire/handshake-response.ts";
import { buildOk, type OkPacket, okStatus, parseOk, parseVariableTrack } from "../../../src/wire/ok-packet.ts";
import { PacketReader } from "../../../src/wire/packet-reader.ts";
import { PacketWriter } from "../../../src/wire/packet-writer.ts";
import { statementOffset } from "../../../src/wire/query-attributes.ts";
import { TextRow } from "../../../src/wire/text-row.ts";
import { fc } from "../../support/seeded-properties.ts";

const ALL = 0xffffffff;
const PARSERS: readonly [string, (payload: Buffer) => unknown][] = [
  ["greeting", parseGreeting],
  ["handshake response", parseHandshakeResponse],
  ["change user", (payload) => parseChangeUser(payload, ALL)],
  ["auth switch", parseAuthSwitch],
  ["auth data", parseAuthMoreData],
  ["OK with session state", (payload) => parseOk(payload, ALL)],
  ["OK without", (payload) => parseOk(payload, 0)],
  ["OK status", okStatus],
  ["variables", parseVariableTrack],
  ["ERR", parseErr],
  ["EOF", parseEof],
  ["column", parseColumnDefinition],
  ["query attributes", (payload) => statementOffset(payload, ALL)],
  ["row", (payload) => new TextRow(3).scan(payload)],
];

describe("bytes that nobody sane sends", () => {
  test.each(PARSERS)("end in a catalogued error or a value, never in anything else: %s", (_name, parse) => {
    const first = fc.constantFrom(0x00, 0x03, 0x0a, 0x11, 0xfb, 0xfc, 0xfd, 0xfe, 0xff);
    const body = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(
        fc.oneof(
          body,
          fc.tuple(first, body).map(([head, rest]) => [head, ...rest]),
        ),
        (raw) => {
          try {
            parse(Buffer.from(raw));
          } catch (error) {
            expect(error).toBeInstanceOf(SwitchyardError);
            expect((error as SwitchyardError).code).toBe("WIRE_MALFORMED");
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("a count of attributes that cannot be there is refused before anything is set aside for it", () => {
    const many = new PacketWriter()
      .u8(COM.QUERY)
      .lenenc(2 ** 40)
      .lenenc(1)
      .payload();
    expect(() => statementOffset(many, ALL)).toThrow(/WIRE_MALFORMED/);
  });
});

describe("the ends of statements", () => {
  const ok: fc.Arbitrary<OkPacket> = fc.record({
    affectedRows: fc.nat(),
    lastInsertId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    status: fc.nat(0xffff).map((flags) => flags & ~STATUS.SESSION_STATE_CHANGED),
    warnings: fc.nat(0xffff),
    info: fc.string({ maxLength: 50 }).map((text) => Buffer.from(text)),
    tracks: fc.array(
      fc.record({ type: fc.nat(5), data: fc.uint8Array({ maxLength: 400 }).map((raw) => Buffer.from(raw)) }),
      { maxLength: 4 },
    ),
  });

  test("come back from their bytes", () => {
    fc.assert(
      fc.property(
        ok,
        fc.constantFrom(0, CAP.SESSION_TRACK),
        fc.constantFrom(0x00 as const, 0xfe as const),
        (value, capabilities, first) => {
          const tracked = capabilities !== 0 && value.tracks.length > 0;
          const status = value.status | (tracked ? STATUS.SESSION_STATE_CHANGED : 0);
          const payload = buildOk(value, capabilities, first);
          expect(parseOk(payload, capabilities)).toEqual({ ...value, status, tracks: tracked ? value.tracks : [] });
          expect(okStatus(payload)).toBe(status);
        },
      ),
    );
    const error = { errno: 1205, sqlState: "40001", message: "wärter" };
    expect(parseErr(buildErr(error))).toEqual(error);
  });

  test("that servers send before a login carry no state", () => {
    expect(parseErr(Buffer.from("\xff\x10\x04Too many connections", "latin1"))).toEqual({
      errno: 1040,
      sqlState: "HY000",
      message: "Too many connections",
    });
  });
});

describe("a text row", () => {
  const field = fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 5 }),
      fc.nat(70_000).map((length) => new Uint8Array(length).fill(0xfb)),
    ),
    { nil: null },
  );

  test("is cut where another reader cuts it", () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
        const writer = new PacketWriter();
        for (const value of fields) value === null ? writer.lenencNull() : writer.lenencBytes(Buffer.from(value));
        const payload = writer.payload();
        const row = new TextRow(fields.length).scan(payload);
        const reader = new PacketReader(payload, "row");
        for (let column = 0; column < fields.length; column++) {
          expect(row.field(column)).toEqual(reader.lenencBytes());
        }
        for (const columns of [fields.length - 1, fields.length + 1]) {
          if (columns < 0) continue;
          expect(() => new TextRow(columns).scan(payload)).toThrow(/WIRE_MALFORMED/);
        }
      }),
    );
  });

  test("with a field of more than 16 MiB is cut too, and lengths of eight bytes are not believed", () => {
    const long = Buffer.alloc(0x1000001, "x");
    const payload = new PacketWriter().lenencBytes("a").lenencBytes(long).lenencNull().payload();
    const row = new TextRow(3).scan(payload);
    expect([row.text(0), row.field(1)?.length, row.field(2)]).toEqual(["a", long.length, null]);
    const lie = Buffer.from([0xfe, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(() => new TextRow(1).scan(lie)).toThrow(/WIRE_MALFORMED/);
  });
});
