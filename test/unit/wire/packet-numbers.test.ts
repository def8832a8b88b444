import { describe, expect, test } from "vitest";
import { PacketNumbers } from "../../../src/wire/packet-numbers.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { frame } from "../../../src/wire/packet-writer.ts";
import { fc } from "../../support/seeded-properties.ts";

const PAYLOAD_MAX = 0xffffff;

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

describe("packets that leave envelopes", () => {
  test("are numbered one by one, past 255, whatever numbers they had and in whatever pieces they come", () => {
    const payloads = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(255)), { maxLength: 300 });
    fc.assert(
      fc.property(payloads, fc.integer({ min: 1, max: 90 }), fc.nat(255), (given, size, first) => {
        const stream = Buffer.concat(given.map(([payload, number]) => frame(Buffer.from(payload), number)));
        const numbers = new PacketNumbers();
        numbers.next = first;
        const ended = pieces(stream, size).reduce((sum, piece) => sum + numbers.pass(piece), 0);
        expect([ended, numbers.between, numbers.next]).toEqual([given.length, true, (first + given.length) & 0xff]);
        const expected = given.map(([payload], at) => frame(Buffer.from(payload), (first + at) & 0xff));
        expect(stream).toEqual(Buffer.concat(expected));
      }),
      { numRuns: 100 },
    );
  });

  test("of one payload end only with the last of them", () => {
    const stream = frame(Buffer.alloc(PAYLOAD_MAX), 9);
    expect(stream.length).toBe(PAYLOAD_MAX + 8);
    const numbers = new PacketNumbers();
    numbers.next = 1;
    expect([numbers.pass(stream.subarray(0, PAYLOAD_MAX + 4)), numbers.between]).toEqual([0, false]);
    expect([numbers.pass(stream.subarray(PAYLOAD_MAX + 4)), numbers.between]).toEqual([1, true]);
    const splitter = new PacketSplitter(PAYLOAD_MAX + 1);
    splitter.push(stream, (payload, number) => expect([payload.length, number]).toEqual([PAYLOAD_MAX, 2]));
  });

  test("keep their numbers where none are given", () => {
    const stream = Buffer.concat([frame(Buffer.from("one"), 7), frame(Buffer.alloc(0), 200)]);
    const before = Buffer.from(stream);
    expect(new PacketNumbers().pass(stream)).toBe(2);
    expect(stream).toEqual(before);
  });
});
