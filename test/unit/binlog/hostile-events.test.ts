import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { BinlogDecoder } from "../../../src/binlog/binlog-decoder.ts";
import type { BinlogEvent } from "../../../src/binlog/binlog-event.ts";
import { decimalText } from "../../../src/binlog/decimal-value.ts";
import { EVENT, EVENT_FLAG, FOREIGN_EVENTS } from "../../../src/binlog/event-types.ts";
import { jsonText, readJson } from "../../../src/binlog/json-value.ts";
import { RowWalker } from "../../../src/binlog/row-walker.ts";
import { formatDescription, frameEvent, lenenc, payloadBody } from "../../support/binlog-bytes.ts";
import { fc } from "../../support/seeded-properties.ts";

function event(type: number, body: Buffer, flags = 0): Buffer {
  return frameEvent(type, body, { flags });
}

function decoder(): BinlogDecoder {
  const one = new BinlogDecoder();
  one.decode(formatDescription());
  return one;
}

/** Table 5 with an INT, a VARCHAR(300), a JSON and a DECIMAL(10,2). */
function tableMap(): Buffer {
  return Buffer.concat([
    Buffer.from([5, 0, 0, 0, 0, 0, 1, 0]),
    Buffer.from([1]),
    Buffer.from("d\0"),
    Buffer.from([1]),
    Buffer.from("t\0"),
    Buffer.from([4, 3, 15, 245, 246, 5, 0x2c, 0x01, 4, 10, 2, 0x0f]),
    Buffer.from([1, 1, 0]),
  ]);
}

function rowsBody(rows: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([5, 0, 0, 0, 0, 0, 1, 0, 2, 0, 4, 0x0f]), rows]);
}

describe("a decoder fed with hostile bytes", () => {
  test("reads or refuses any body of any event type with a code of its own, and never hangs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.uint8Array({ maxLength: 200 }), (type, body) => {
        const one = decoder();
        try {
          one.decode(event(EVENT.TABLE_MAP, tableMap()));
          const decoded = one.decode(event(type, Buffer.from(body)));
          if (decoded.kind === "payload") for (const inner of decoded.events()) expect(inner.kind).toBeTruthy();
        } catch (error) {
          expect(error).toBeInstanceOf(SwitchyardError);
          expect((error as SwitchyardError).code).toMatch(/^(BINLOG_|GTID_SET_INVALID)/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("walks or refuses any bytes as rows, inside the event's bounds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (rows) => {
        const one = decoder();
        one.decode(event(EVENT.TABLE_MAP, tableMap()));
        const decoded = one.decode(event(EVENT.WRITE_ROWS, rowsBody(rows)));
        if (decoded.kind !== "rows") throw new Error("these are rows");
        const walker = new RowWalker(decoded);
        try {
          while (walker.next()) {
            for (const [i, start] of walker.after.starts.entries()) {
              if (start >= 0) expect(walker.after.ends[i]).toBeLessThanOrEqual(decoded.rows.length);
            }
          }
        } catch (error) {
          expect(String(error)).toContain("BINLOG_MALFORMED");
        }
      }),
    );
  });

  test("reads or refuses any bytes as JSON, without going deeper than the server would", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        try {
          jsonText(readJson(Buffer.from(bytes), 0, bytes.length));
        } catch (error) {
          expect(String(error)).toContain("BINLOG_MALFORMED");
        }
      }),
      { numRuns: 3000 },
    );
    // An array that contains itself: its one element points back at its own beginning.
    const loop = Buffer.from([2, 1, 0, 7, 0, 2, 0, 0]);
    expect(() => readJson(loop, 0, loop.length)).toThrow("BINLOG_MALFORMED");
  });

  test("is told of tables without end, and refuses a transaction beyond 64 MiB of them, but counts each once", () => {
    const one = decoder();
    // Optional metadata of a kind that nobody knows is skipped, and kept.
    const map = (id: number, bytes: number): Buffer => {
      const body = Buffer.concat([tableMap(), Buffer.of(200), lenenc(bytes), Buffer.alloc(bytes)]);
      body.writeUIntLE(id, 0, 6);
      return event(EVENT.TABLE_MAP, body);
    };
    const mib = 1024 * 1024;
    const begin = event(EVENT.GTID, Buffer.concat([Buffer.alloc(17), Buffer.of(1, 0, 0, 0, 0, 0, 0, 0)]));
    for (let round = 0; round < 3; round++) {
      one.decode(begin);
      for (let id = 0; id < 30; id++) one.decode(map(round * 100 + (id % 15), 4 * mib));
    }
    const last = (): BinlogEvent => one.decode(map(9000, 5 * mib));
    expect(last).toThrowError(expect.objectContaining({ code: "BINLOG_TABLE_MAPS_TOO_LARGE" }));
    one.decode(begin);
    expect(last().kind).toBe("table-map");
  });

  test("does not unpack more than a payload may hold, whatever it claims", () => {
    const packed = zstdCompressSync(Buffer.alloc(1_000_000));
    const payload = (claimed: number): BinlogEvent => {
      const one = new BinlogDecoder({ payloadBytesMax: 500_000 });
      one.decode(formatDescription());
      return one.decode(event(EVENT.TRANSACTION_PAYLOAD, payloadBody(packed, claimed)));
    };
    const all = (decoded: BinlogEvent): unknown => (decoded.kind === "payload" ? [...decoded.events()] : decoded);
    expect(() => all(payload(1_000_000))).toThrow("BINLOG_PAYLOAD_TOO_LARGE");
    expect(() => all(payload(1000))).toThrow("BINLOG_MALFORMED");
  });
});

describe("events that must not be taken for others", () => {
  test("one damaged bit anywhere is noticed", () => {
    const whole = event(EVENT.XID, Buffer.alloc(8));
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decoder().decode(damaged)).toThrow(/BINLOG_(CHECKSUM_WRONG|MALFORMED)/);
    }
  });

  test.each([
    [43, 0, "BINLOG_EVENT_UNKNOWN", "a type of the future that is not marked as ignorable"],
    [159, 0, "BINLOG_EVENT_UNKNOWN", "a type of nobody"],
    [0, 0, "BINLOG_EVENT_REFUSED", "no type"],
    [20, 0, "BINLOG_EVENT_REFUSED", "rows in a form of before the release of MySQL 5.1"],
    [162, 0, "BINLOG_EVENT_REFUSED", "a transaction of MariaDB"],
    [163, EVENT_FLAG.IGNORABLE, "BINLOG_EVENT_REFUSED", "an event of MariaDB, whatever its flags mean there"],
    [EVENT.INCIDENT, 0, "BINLOG_SOURCE_INCIDENT", "the source says that events are missing"],
  ])("type %i with flags %i is %s: %s", (type, flags, code) => {
    expect(() => decoder().decode(event(type, Buffer.alloc(8), flags))).toThrow(code);
  });

  test("an unknown type that the server calls ignorable is skipped", () => {
    expect(decoder().decode(event(99, Buffer.alloc(3), EVENT_FLAG.IGNORABLE))).toEqual({ kind: "skipped", type: 99 });
  });

  test.each(Object.entries(FOREIGN_EVENTS))("type %i is refused by its name, %s", (type, name) => {
    expect(() => decoder().decode(event(Number(type), Buffer.alloc(8)))).toThrow(name);
  });

  test("anything but a made-up rotation before the format is refused", () => {
    expect(new BinlogDecoder().decode(event(EVENT.ROTATE, Buffer.alloc(12)))).toMatchObject({ kind: "rotate" });
    expect(() => new BinlogDecoder().decode(event(EVENT.XID, Buffer.alloc(8)))).toThrow("BINLOG_MALFORMED");
  });

  test("rows of a table that was described in an earlier transaction are refused", () => {
    const one = decoder();
    one.decode(event(EVENT.TABLE_MAP, tableMap()));
    one.decode(event(EVENT.GTID, Buffer.concat([Buffer.alloc(17), Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])])));
    expect(() => one.decode(event(EVENT.WRITE_ROWS, rowsBody(new Uint8Array())))).toThrow("BINLOG_TABLE_MAP_MISSING");
  });
});

describe("packed decimals", () => {
  /** The server's documented form, written the other way round. */
  function pack(text: string, precision: number, scale: number): Buffer {
    const negative = text.startsWith("-");
    const [whole = "", fraction = ""] = text.replace("-", "").split(".");
    const digits = [
      precision === scale ? "" : whole.padStart(precision - scale, "0"),
      fraction.padEnd(scale, "0"),
    ] as const;
    const sizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    const groups: [string, number][] = [];
    const head = digits[0].length % 9;
    if (head > 0) groups.push([digits[0].slice(0, head), sizes[head] ?? 0]);
    for (let i = head; i < digits[0].length; i += 9) groups.push([digits[0].slice(i, i + 9), 4]);
    for (let i = 0; i < digits[1].length; i += 9) {
      const group = digits[1].slice(i, i + 9);
      groups.push([group, sizes[group.length] ?? 0]);
    }
    const bytes = groups.flatMap(([group, size]) => {
      const value = Number(group);
      return Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) & 255);
    });
    const out = Buffer.from(negative ? bytes.map((byte) => byte ^ 0xff) : bytes);
    out[0] = (out[0] ?? 0) ^ 0x80;
    return out;
  }

  test("come back digit by digit for any precision and scale", () => {
    const shape = fc
      .integer({ min: 1, max: 65 })
      .chain((precision) => fc.tuple(fc.constant(precision), fc.integer({ min: 0, max: Math.min(30, precision) })));
    fc.assert(
      fc.property(
        shape,
        fc.boolean(),
        fc.bigInt({ min: 1n, max: 10n ** 65n }),
        ([precision, scale], negative, random) => {
          const digits = String(random).slice(-precision).padStart(precision, "0");
          const whole = digits.slice(0, precision - scale).replace(/^0+/, "") || "0";
          const text =
            (negative && /[1-9]/.test(digits) ? "-" : "") +
            whole +
            (scale > 0 ? `.${digits.slice(precision - scale)}` : "");
          expect(decimalText(pack(text, precision, scale), 0, precision, scale)).toBe(text);
        },
      ),
    );
  });
});
