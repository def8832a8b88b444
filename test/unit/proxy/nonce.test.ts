import { describe, expect, test } from "vitest";
import { makeNonce } from "../../../src/proxy/nonce.ts";

describe("a nonce", () => {
  test("has no byte that clients or servers take for its end, and comes only once, also where bytes are drawn anew", () => {
    const nonces = Array.from({ length: 1000 }, makeNonce);
    expect(new Set(nonces.map((nonce) => nonce.toString("latin1"))).size).toBe(nonces.length);
    const bytes = new Set(Buffer.concat(nonces));
    // Every other byte of seven bits comes up: 20,000 draws.
    expect(bytes).toEqual(new Set(Array.from({ length: 126 }, (_, at) => at + 1).filter((byte) => byte !== 0x24)));
    expect(nonces.every(({ length }) => length === 20)).toBe(true);
  });
});
