import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { copyOf, giveBack } from "../../../src/proxy/chunk-memory.ts";

const BYTES = randomBytes(64 * 1024);

describe("the memory of chunks", () => {
  test("is nobody else's while a chunk is kept, whatever its length, and keeps at most twice its length alive", () => {
    const kept = [1, 100, 4095, 4096, 4097, 40_000, 65_535, 65_536].map((length) => copyOf(BYTES, length));
    for (let round = 0; round < 100; round++) giveBack(copyOf(Buffer.alloc(65_536, 1), 3000 + round * 600));
    for (const chunk of kept) {
      expect(chunk.equals(BYTES.subarray(0, chunk.length))).toBe(true);
      if (chunk.length >= 4096) expect(chunk.buffer.byteLength).toBeLessThanOrEqual(2 * chunk.length);
    }
  });

  test("that is given back twice, by whole and by part, becomes one other chunk's and not two others'", () => {
    const chunk = copyOf(BYTES, 50_000);
    giveBack(chunk);
    giveBack(chunk.subarray(10));
    const [one, other] = [copyOf(BYTES, 50_000), copyOf(BYTES, 60_000)];
    expect(one.buffer).toBe(chunk.buffer);
    expect(other.buffer).not.toBe(one.buffer);
  });

  test("that was not lent is left alone", () => {
    const stranger = Buffer.alloc(65_536, 5);
    giveBack(stranger);
    giveBack(Buffer.from("short"));
    expect(copyOf(BYTES, 65_536).buffer).not.toBe(stranger.buffer);
  });
});
