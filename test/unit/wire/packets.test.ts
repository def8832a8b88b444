import { describe, expect, test } from "vitest";
import { PacketReader } from "../../../src/wire/packet-reader.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { type PacketVisitor, PacketWalker } from "../../../src/wire/packet-walker.ts";
import { frame, PacketWriter, packetCount } from "../../../src/wire/packet-writer.ts";
import { fc } from "../../support/seeded-properties.ts";

const bytes = (max = 300): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength: max }).map((raw) => Buffer.from(raw));

/** Cuts `whole` at the given offsets, in order. */
function cut(whole: Buffer, at: readonly number[]): Buffer[] {
  const points = [...new Set([0, ...at.map((point) => point % (whole.length + 1)), whole.length])].sort(
    (a, b) => a - b,
  );
  return points.slice(1).map((end, index) => whole.subarray(points[index], end));
}

describe("integers and strings of the protocol", () => {
  test("come back as they were written, lengths of every width included", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), bytes(), fc.nat(0xffffff), (big, raw, small) => {
        const payload = new PacketWriter(1)
          .lenenc(big)
          .lenencBytes(raw)
          .u24(small)
          .lenenc(small)
          .lenencNull()
          .payload();
        const reader = new PacketReader(payload, "test");
        expect(reader.lenencBig()).toBe(big);
        expect(reader.lenencBytes()).toEqual(raw);
        expect(reader.u24()).toBe(small);
        expect(reader.lenenc()).toBe(small);
        expect(reader.lenenc()).toBe(null);
        expect(reader.left).toBe(0);
      }),
    );
  });

  test.each([
    [[0xfc, 0x01], "two length bytes announced, one there"],
    [[0xfd, 0x01, 0x02], "three announced, two there"],
    [[0xfe, 1, 0, 0, 0, 0, 0, 0], "eight announced, seven there"],
    [[0xff], "0xff is no length"],
    [[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "a length beyond any memory"],
    [[0x05, 1, 2, 3, 4], "a string longer than its packet"],
    [[], "an empty packet"],
  ])("a length that cannot be true is refused: %j (%s)", (raw) => {
    expect(() => new PacketReader(Buffer.from(raw), "test").lenencBytes()).toThrow(/WIRE_MALFORMED/);
  });
});

describe("a byte stream cut anywhere", () => {
  const packets = fc.array(bytes(70), { maxLength: 12 });
  const cuts = fc.array(fc.nat(900), { maxLength: 30 });

  test("gives the same payloads through the splitter", () => {
    fc.assert(
      fc.property(packets, cuts, (payloads, at) => {
        const stream = Buffer.concat(payloads.map((payload, index) => frame(payload, index)));
        const splitter = new PacketSplitter(1000);
        const seen: [Buffer, number][] = [];
        for (const chunk of cut(stream, at)) {
          splitter.push(chunk, (payload, sequence) => seen.push([Buffer.from(payload), sequence]));
        }
        expect(seen).toEqual(payloads.map((payload, index) => [payload, index]));
        expect(splitter.inside).toBe(false);
      }),
    );
  });

  test("gives the same heads and wanted payloads through the walker, also when it stops at every packet", () => {
    fc.assert(
      fc.property(packets, cuts, fc.boolean(), (payloads, at, stopping) => {
        const stream = Buffer.concat(payloads.map((payload, index) => frame(payload, index)));
        const heads: number[][] = [];
        const taken: Buffer[] = [];
        const visitor: PacketVisitor = {
          head: (length, sequence, firstByte) => {
            heads.push([length, sequence, firstByte]);
            return sequence % 2 === 0;
          },
          payload: (payload) => {
            taken.push(Buffer.from(payload));
            return stopping;
          },
        };
        const walker = new PacketWalker();
        for (const chunk of cut(stream, at)) {
          // The socket's read buffer is used again: the walker must not keep a view of it.
          const reused = Buffer.from(chunk);
          for (let from = 0; from < reused.length; ) from = walker.walk(reused, from, reused.length, visitor);
          reused.fill(0xee);
        }
        expect(heads).toEqual(payloads.map((payload, index) => [payload.length, index, payload[0] ?? -1]));
        expect(taken).toEqual(payloads.filter((_, index) => index % 2 === 0));
        expect(walker.betweenPackets).toBe(true);
      }),
    );
  });

  test.each([0xfffffe, 0xffffff, 0x1000000, 0x1fffffe])("joins a payload of %d bytes", (length) => {
    const payload = Buffer.alloc(length, "switchyard");
    const stream = Buffer.concat([frame(payload, 250), frame(Buffer.from("next"), 3)]);
    const seen: Buffer[] = [];
    const splitter = new PacketSplitter(length);
    for (let at = 0; at < stream.length; at += 1_000_003) {
      splitter.push(stream.subarray(at, at + 1_000_003), (whole) => seen.push(whole));
    }
    expect(seen.map((whole) => whole.length)).toEqual([length, 4]);
    expect(seen[0]?.equals(payload)).toBe(true);
    expect(splitter.sequence).toBe(3);
    expect(packetCount(length)).toBe(length < 0xffffff ? 1 : length < 0x1fffffe ? 2 : 3);
  });
});

describe("a peer that announces more than is allowed", () => {
  test("is refused from the header alone", () => {
    const splitter = new PacketSplitter(1000);
    expect(() => splitter.push(Buffer.from([0xe9, 0x03, 0, 0]), () => undefined)).toThrow(/WIRE_PACKET_TOO_LARGE/);
  });

  test("is refused when many packets add up to it", () => {
    const splitter = new PacketSplitter(0xffffff + 10);
    splitter.push(frame(Buffer.alloc(0xfffffe), 0), () => undefined);
    const long = frame(Buffer.alloc(0xffffff + 11), 0);
    expect(() => splitter.push(long, () => undefined)).toThrow(/WIRE_PACKET_TOO_LARGE/);
  });

  test("is refused by the walker for a packet that it wants, and let pass for one that it does not", () => {
    const want: PacketVisitor = { head: () => true, payload: () => false };
    const pass: PacketVisitor = { head: () => false, payload: () => false };
    const head = Buffer.from([0xff, 0xff, 0x7f, 0, 1]);
    expect(() => new PacketWalker(1000).walk(head, 0, 5, want)).toThrow(/WIRE_PACKET_TOO_LARGE/);
    expect(new PacketWalker(1000).walk(head, 0, 5, pass)).toBe(5);
  });
});
