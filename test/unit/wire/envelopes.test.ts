import { createHash } from "node:crypto";
import { deflateSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { CompressionAlgorithm } from "../../../src/wire/compression.ts";
import { EnvelopeReader } from "../../../src/wire/envelope-reader.ts";
import { EnvelopeWriter } from "../../../src/wire/envelope-writer.ts";
import { fc } from "../../support/seeded-properties.ts";

const ALGORITHMS: readonly CompressionAlgorithm[] = ["zlib", "zstd"];
const MAX = 0xffffff;

/** An envelope as its header says, honest or not. */
function envelope(contents: Buffer, header: { length?: number; sequence?: number; unpacked: number }): Buffer {
  const head = Buffer.alloc(7);
  head.writeUIntLE(header.length ?? contents.length, 0, 3);
  head[3] = header.sequence ?? 0;
  head.writeUIntLE(header.unpacked, 4, 3);
  return Buffer.concat([head, contents]);
}

function read(reader: EnvelopeReader, wire: Buffer, pieceBytes = wire.length || 1): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length; at += pieceBytes) {
    reader.push(wire.subarray(at, at + pieceBytes), (piece) => pieces.push(Buffer.from(piece)));
  }
  return Buffer.concat(pieces);
}

describe.each(ALGORITHMS)("%s envelopes", (algorithm) => {
  test("carry any bytes, whatever the pieces in which they arrive", () => {
    const writes = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(3000).map((length) => new Uint8Array(length).fill(7)),
      ),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 400 }), (given, pieceBytes) => {
        const writer = new EnvelopeWriter(algorithm);
        const wire = Buffer.concat(given.map((bytes) => writer.write(Buffer.from(bytes))));
        const reader = new EnvelopeReader(algorithm, MAX);
        expect(read(reader, wire, pieceBytes)).toEqual(Buffer.concat(given));
        expect([reader.inside, reader.sequence]).toEqual([false, writer.sequence]);
      }),
      { numRuns: 200 },
    );
  });

  test("are several where the bytes exceed what one can announce, and numbered on past 255", () => {
    const writer = new EnvelopeWriter(algorithm, 1);
    writer.restart(254);
    const bytes = Buffer.alloc(2 * MAX + 5, "switchyard ");
    const wire = writer.write(bytes);
    expect(writer.sequence).toBe(1);
    const reader = new EnvelopeReader(algorithm, MAX);
    reader.restart(254);
    expect(read(reader, wire, 1 << 16).equals(bytes)).toBe(true);
  });

  test("of short or incompressible bytes are sent as they are, with a length of 0 within", () => {
    const writer = new EnvelopeWriter(algorithm);
    expect(writer.write(Buffer.from("short"))).toEqual(envelope(Buffer.from("short"), { unpacked: 0 }));
    const noise = createHash("sha512").update("noise").digest();
    expect(writer.write(noise).readUIntLE(4, 3)).toBe(0);
  });

  const compress = algorithm === "zlib" ? deflateSync : zstdCompressSync;
  const zeros = compress(Buffer.alloc(1_000_000));
  test.each([
    ["holds more than it announces: a bomb", envelope(zeros, { unpacked: 100 }), "WIRE_MALFORMED"],
    ["holds less than it announces", envelope(zeros, { unpacked: 1_000_001 }), "WIRE_MALFORMED"],
    ["is no compressed data", envelope(Buffer.from("nonsense"), { unpacked: 900 }), "WIRE_MALFORMED"],
    ["is cut in the middle of its data", envelope(zeros.subarray(0, 20), { unpacked: 1_000_000 }), "WIRE_MALFORMED"],
    ["announces contents and has none", envelope(Buffer.alloc(0), { unpacked: 5 }), "WIRE_MALFORMED"],
    ["has another number than is due", envelope(zeros, { unpacked: 1_000_000, sequence: 3 }), "WIRE_MALFORMED"],
    ["would unpack to more than is allowed", envelope(zeros, { unpacked: 2_000_001 }), "WIRE_PACKET_TOO_LARGE"],
    ["is itself longer than is allowed", envelope(zeros, { length: 2_000_001, unpacked: 0 }), "WIRE_PACKET_TOO_LARGE"],
  ])("one that %s is refused", (_what, wire, code) => {
    const reader = new EnvelopeReader(algorithm, 2_000_000);
    expect(() => read(reader, wire)).toThrowError(expect.objectContaining({ code }));
  });

  test("that announce much and send little take no more memory than what came", () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => {
      const reader = new EnvelopeReader(algorithm, MAX);
      read(reader, envelope(Buffer.from("x"), { length: MAX, unpacked: MAX }));
      return reader;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
    expect(readers.every((reader) => reader.inside)).toBe(true);
  });
});
