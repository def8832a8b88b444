import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { PasswordCache } from "../../../src/proxy/password-cache.ts";
import { cachingSha2Scramble } from "../../../src/wire/auth-scramble.ts";

const [ANN, BOB] = [Buffer.from("ann"), Buffer.from("bob")];

describe("known passwords", () => {
  test("answer a scramble made with the same password and nonce, and no other", () => {
    const cache = new PasswordCache(10);
    const [password, nonce] = [Buffer.from("secret"), randomBytes(20)];
    cache.keep(ANN, password);
    const scramble = cachingSha2Scramble(password, nonce);
    expect(cache.verified(ANN, nonce, scramble)).toEqual(password);
    expect(cache.verified(BOB, nonce, scramble)).toBeUndefined();
    expect(cache.verified(ANN, randomBytes(20), scramble)).toBeUndefined();
    expect(cache.verified(ANN, nonce, cachingSha2Scramble(Buffer.from("wrong"), nonce))).toBeUndefined();
    expect(cache.verified(ANN, nonce, Buffer.alloc(0))).toBeUndefined();
    cache.forget(ANN);
    expect(cache.verified(ANN, nonce, scramble)).toBeUndefined();
  });

  test("are of the users who logged in last", () => {
    const cache = new PasswordCache(1);
    const [password, nonce] = [Buffer.from("secret"), randomBytes(20)];
    cache.keep(ANN, password);
    cache.keep(BOB, password);
    const scramble = cachingSha2Scramble(password, nonce);
    expect(cache.verified(ANN, nonce, scramble)).toBeUndefined();
    expect(cache.verified(BOB, nonce, scramble)).toEqual(password);
  });
});
