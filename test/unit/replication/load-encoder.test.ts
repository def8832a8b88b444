import { describe, expect, test } from "vitest";
import { LoadEncoder, LoadMemory } from "../../../src/replication/load-encoder.ts";
import { fc } from "../../support/seeded-properties.ts";

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

/** A payload as it is on the wire: in packets of 16 MiB less one byte, the last of them shorter than that. */
function packet(payload: Buffer, sequence: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, number = sequence; ; at += 0xffffff, number++) {
    const part = payload.subarray(at, at + 0xffffff);
    const header = Buffer.alloc(4);
    header.writeUIntLE(part.length, 0, 3);
    header[3] = number & 0xff;
    parts.push(header, part);
    if (part.length < 0xffffff) return Buffer.concat(parts);
  }
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

  test("come back as they were from runs of packets, wherever the taker stops between two of them", () => {
    const field = fc.option(fc.uint8Array({ maxLength: 300 }));
    const row = fc.array(field, { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (rows, rowsMax) => {
        const wanted = rows.map((one) => one.map((value) => (value === null ? null : Buffer.from(value))));
        const run = Buffer.concat(wanted.map((one, i) => packet(rowPayload(one), i)));
        const encoder = new LoadEncoder(2, 512);
        const back: unknown[] = [];
        for (let at = 0; at < run.length; ) {
          const before = encoder.rows;
          const next = encoder.addRun(run, at, rowsMax);
          expect(next).toBeGreaterThan(at);
          expect(encoder.rows - before).toBeLessThanOrEqual(rowsMax);
          // The key of a chunk's last row is read from here.
          expect(encoder.lastRow.field(0)).toEqual(wanted[encoder.rows - 1]?.[0]);
          at = next;
          back.push(...readBack(encoder.take()));
        }
        expect(encoder.rows).toBe(rows.length);
        expect(back).toEqual(wanted);
      }),
    );
  });

  test.each([
    [2 ** 24 - 1 - 4 - 2, "one byte short of a second packet"],
    [2 ** 24 - 1 - 4 - 1, "exactly full, so an empty packet follows"],
    [2 ** 24, "a little in the second packet"],
  ])("a row of %d bytes in its first field is one row: %s", (bytes) => {
    const huge = Buffer.alloc(bytes, 0x61);
    const head = Buffer.from([0xfd, 0, 0, 0]);
    const long = bytes >= 2 ** 24 ? Buffer.from([0xfe, 0, 0, 0, 1, 0, 0, 0, 0]) : head;
    if (long === head) head.writeUIntLE(bytes, 1, 3);
    const payload = Buffer.concat([long, huge, Buffer.from([0])]);
    const run = Buffer.concat([
      packet(rowPayload([Buffer.from("b"), null]), 0),
      packet(payload, 1),
      packet(rowPayload([Buffer.from("c"), null]), 3),
    ]);
    const encoder = new LoadEncoder(2, 64);
    let at = encoder.addRun(run, 0, 10);
    if (at < run.length) at = encoder.addRun(run, at, 10);
    const text = encoder.take();
    if (at < run.length) expect(encoder.addRun(run, at, 10)).toBe(run.length);
    const rest = encoder.take();
    const all = Buffer.concat([text, rest]);
    expect(encoder.rows).toBe(3);
    expect(all.equals(Buffer.concat([Buffer.from("b\t\\N\n"), huge, Buffer.from("\t\nc\t\\N\n")]))).toBe(true);
  });

  test("NULL and the text \\N are two things", () => {
    const encoder = new LoadEncoder(2);
    encoder.add(rowPayload([null, Buffer.from("\\N")]));
    expect(encoder.take().toString("latin1")).toBe("\\N\t\\\\N\n");
  });

  test("a special byte is found wherever it stands in a short or a long value", () => {
    for (const length of [1, 119, 199, 200, 201, 5000]) {
      for (const [byte, escaped] of [
        [0, "\\0"],
        [9, "\\t"],
        [10, "\\n"],
        [0x5c, "\\\\"],
      ] as const) {
        // biome-ignore format: a table
        for (const at of [0, length >> 1, length - 1]) {
          const value = Buffer.alloc(length, "x");
          value[at] = byte;
          const encoder = new LoadEncoder(2);
          encoder.add(rowPayload([value, Buffer.from("y")]));
          const text = `${"x".repeat(at)}${escaped}${"x".repeat(length - at - 1)}\ty\n`;
          expect(encoder.take().toString("latin1") === text, `${byte} at ${at} of ${length}`).toBe(true);
        }
      }
    }
  });

  test("memory that was not given back is not written into, and what was is used again", () => {
    const memory = new LoadMemory(1024 * 1024);
    const encoder = new LoadEncoder(1, undefined, undefined, memory);
    const taken = ["a", "b", "c"].map((letter) => {
      encoder.add(rowPayload([Buffer.from(letter)]));
      return encoder.take();
    });
    expect(taken.map(String)).toEqual(["a\n", "b\n", "c\n"]);
    memory.giveBack(taken[1] as Buffer);
    // In another kind of memory, of which nobody knows who else uses it.
    memory.giveBack(Buffer.from("d"));
    expect(memory.take(1)).toBeUndefined();
    const again = new LoadEncoder(1, undefined, undefined, memory);
    again.add(rowPayload([Buffer.from("e")]));
    expect(again.take().buffer).toBe(taken[1]?.buffer);
    expect([taken[0], taken[2]].map(String)).toEqual(["a\n", "c\n"]);
  });

  test.each([
    ["a field that is longer than the row", Buffer.from([5, 1, 2])],
    ["fewer fields than columns", Buffer.from([1, 65])],
    ["bytes after the last field", Buffer.from([0, 0, 0])],
    ["a length that no row may begin with", Buffer.from([0xff, 0])],
    ["a claimed length of 2^63", Buffer.from([0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80, 0])],
  ])("%s is refused", (_why, payload) => {
    expect(() => new LoadEncoder(2).add(payload)).toThrow(/WIRE_MALFORMED/);
    // Behind it in the run are bytes that would make it whole: they belong to the next row.
    const run = Buffer.concat([packet(payload, 0), packet(rowPayload([Buffer.from("b"), Buffer.from("c")]), 1)]);
    expect(() => new LoadEncoder(2).addRun(run, 0, 10)).toThrow(/WIRE_MALFORMED/);
  });
});
