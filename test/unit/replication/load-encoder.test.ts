import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LoadEncoder } from "../../../src/replication/load-encoder.ts";

/** A row packet made by hand from the protocol's description, so that the encoder is not tested with our own writer. */
function rowPayload(fields: readonly (Buffer | null)[]): Buffer {
  const parts: Buffer[] = [];
  for (const field of fields) {
    if (field === null) {
      parts.push(Buffer.from([0xfb]));
    } else if (field.length < 251) {
      parts.push(Buffer.from([field.length]), field);
    } else {
      const head = Buffer.alloc(3);
      head[0] = 0xfc;
      head.writeUInt16LE(field.length, 1);
      parts.push(head, field);
    }
  }
  return Buffer.concat(parts);
}

/** Reads LOAD DATA bytes back as the manual describes them (LOAD DATA Statement, field and line handling). */
function readBack(bytes: Buffer): (Buffer | null)[][] {
  const rows: (Buffer | null)[][] = [];
  let row: (Buffer | null)[] = [];
  let field: number[] = [];
  let isNull = false;
  const endField = (): void => {
    row.push(isNull ? null : Buffer.from(field));
    field = [];
    isNull = false;
  };
  const escaped: Record<number, number> = { 116: 9, 110: 10, 48: 0, 92: 0x5c };
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x5c) {
      at += 1;
      const next = bytes[at] ?? 0;
      if (next === 0x4e) isNull = true;
      else field.push(escaped[next] ?? next);
    } else if (byte === 9) {
      endField();
    } else if (byte === 10) {
      endField();
      rows.push(row);
      row = [];
    } else {
      field.push(byte);
    }
  }
  return rows;
}

describe("rows on their way into LOAD DATA", () => {
  test("come back as they were, whatever bytes they hold", () => {
    const field = fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.constantFrom(0, 9, 10, 13, 0x5c, 0x4e), { maxLength: 20 }).map((bytes) => Uint8Array.from(bytes)),
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 3, maxLength: 3 }), { maxLength: 20 }), (rows) => {
        const encoder = new LoadEncoder(3, 64);
        const wanted = rows.map((row) => row.map((value) => (value === null ? null : Buffer.from(value))));
        for (const row of wanted) encoder.add(rowPayload(row));
        expect(encoder.rows).toBe(rows.length);
        expect(readBack(encoder.take())).toEqual(wanted);
        expect(encoder.length).toBe(0);
      }),
    );
  });

  test("NULL and the text \\N are two things", () => {
    const encoder = new LoadEncoder(2);
    encoder.add(rowPayload([null, Buffer.from("\\N")]));
    expect(encoder.take().toString("latin1")).toBe("\\N\t\\\\N\n");
  });

  test.each([
    ["a field that is longer than the row", Buffer.from([5, 1, 2])],
    ["fewer fields than columns", Buffer.from([1, 65])],
    ["bytes after the last field", Buffer.from([0, 0, 0])],
    ["a length that no row may begin with", Buffer.from([0xff, 0])],
    ["a claimed length of 2^63", Buffer.from([0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80, 0])],
  ])("%s is refused", (_why, payload) => {
    expect(() => new LoadEncoder(2).add(payload)).toThrow(/WIRE_MALFORMED/);
  });
});
