import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import {
  buildAuthMoreData,
  buildAuthSwitch,
  parseAuthMoreData,
  parseAuthSwitch,
} from "../../../src/wire/auth-packets.ts";
import {
  cachingSha2Scramble,
  cachingSha2Stage2,
  nativeScramble,
  verifyCachingSha2,
  verifyNative,
  xorWithNonce,
} from "../../../src/wire/auth-scramble.ts";
import { CAP, hasFlag } from "../../../src/wire/capabilities.ts";
import { buildChangeUser, parseChangeUser } from "../../../src/wire/change-user.ts";
import { buildGreeting, parseGreeting } from "../../../src/wire/greeting.ts";
import {
  buildHandshakeResponse,
  buildTlsRequest,
  isTlsRequest,
  parseHandshakeResponse,
} from "../../../src/wire/handshake-response.ts";
import { fc } from "../../support/seeded-properties.ts";

const name = fc.string({ maxLength: 40 }).map((text) => text.replaceAll("\0", ""));
const nameBytes = name.map((text) => Buffer.from(text));
const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((raw) => Buffer.from(raw));
const nonce = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((raw) => Buffer.from(raw.map((byte) => byte || 1)));
const u32 = fc.nat(0xffffffff);
const attributes = fc.dictionary(name, name, { maxKeys: 5 }).map((object) => new Map(Object.entries(object)));

describe("login packets", () => {
  test("come back from their bytes: greeting", () => {
    const greeting = fc.record({
      serverVersion: name,
      threadId: u32,
      nonce,
      capabilities: u32.map((flags) => (flags | CAP.PROTOCOL_41 | CAP.SECURE_CONNECTION | CAP.PLUGIN_AUTH) >>> 0),
      collation: fc.nat(255),
      status: fc.nat(0xffff),
      authPlugin: fc.constantFrom("caching_sha2_password", "sha256_password", ""),
    });
    fc.assert(
      fc.property(greeting, (value) => {
        expect(parseGreeting(buildGreeting(value))).toEqual(value);
      }),
    );
  });

  test("come back from their bytes: handshake response, for any set of capabilities", () => {
    const response = fc.record({
      capabilities: u32.map((flags) => (flags | CAP.PROTOCOL_41) >>> 0),
      maxPacketBytes: u32,
      collation: fc.nat(255),
      user: nameBytes,
      authResponse: nameBytes,
      database: nameBytes,
      authPlugin: fc.constantFrom("caching_sha2_password", "x"),
      attributes,
      zstdLevel: fc.nat(22),
    });
    fc.assert(
      fc.property(response, (value) => {
        const parsed = parseHandshakeResponse(buildHandshakeResponse(value));
        const has = (flag: number): boolean => hasFlag(value.capabilities, flag);
        expect(parsed).toEqual({
          capabilities: value.capabilities,
          maxPacketBytes: value.maxPacketBytes,
          collation: value.collation,
          user: value.user,
          authResponse: value.authResponse,
          ...(has(CAP.CONNECT_WITH_DB) ? { database: value.database } : {}),
          ...(has(CAP.PLUGIN_AUTH) ? { authPlugin: value.authPlugin } : {}),
          attributes: has(CAP.CONNECT_ATTRS) ? value.attributes : new Map(),
          ...(has(CAP.ZSTD) ? { zstdLevel: value.zstdLevel } : {}),
        });
      }),
    );
  });

  test("come back from their bytes: change of user", () => {
    const change = fc.record({
      user: nameBytes,
      authResponse: nameBytes,
      database: nameBytes,
      collation: fc.nat(0xffff),
      authPlugin: fc.constantFrom("caching_sha2_password", "y"),
      attributes,
    });
    const capabilities = CAP.SECURE_CONNECTION | CAP.PLUGIN_AUTH | CAP.CONNECT_ATTRS;
    fc.assert(
      fc.property(change, (value) => {
        expect(parseChangeUser(buildChangeUser(value, capabilities), capabilities)).toEqual(value);
      }),
    );
  });

  test("come back from their bytes: authentication", () => {
    fc.assert(
      fc.property(nonce, bytes(600), (salt, data) => {
        const request = { plugin: "caching_sha2_password", nonce: salt };
        expect(parseAuthSwitch(buildAuthSwitch(request))).toEqual(request);
        expect(parseAuthMoreData(buildAuthMoreData(data))).toEqual(data);
      }),
    );
  });

  test("that only ask for TLS are told from whole responses", () => {
    const whole = buildHandshakeResponse({
      capabilities: CAP.PROTOCOL_41 | CAP.SSL,
      maxPacketBytes: 1,
      collation: 45,
      user: Buffer.from("u"),
      authResponse: Buffer.alloc(0),
      attributes: new Map(),
    });
    expect(isTlsRequest(buildTlsRequest(CAP.PROTOCOL_41, 1, 45))).toBe(true);
    expect(isTlsRequest(whole)).toBe(false);
  });

  test("of clients and servers that are too old are refused", () => {
    expect(() => parseHandshakeResponse(Buffer.from("\x05\0\0\0\0user\0\0", "latin1"))).toThrow(/WIRE_MALFORMED/);
    expect(() => parseAuthSwitch(Buffer.from([0xfe]))).toThrow(/WIRE_MALFORMED/);
  });
});

describe("answers to a nonce", () => {
  // mysql2 has its own implementation of both.
  const load = createRequire(import.meta.url);
  const auth41 = load("../../../node_modules/mysql2/lib/auth_41.js") as { calculateToken(...parts: unknown[]): Buffer };
  const sha2 = load("../../../node_modules/mysql2/lib/auth_plugins/caching_sha2_password.js") as {
    calculateToken(password: string, nonce: Buffer): Buffer;
  };
  const password = fc.string({ minLength: 1, maxLength: 64, unit: "binary" });

  test("are those of another implementation", () => {
    fc.assert(
      fc.property(password, nonce, (text, salt) => {
        const secret = Buffer.from(text);
        expect(cachingSha2Scramble(secret, salt)).toEqual(sha2.calculateToken(text, salt));
        expect(nativeScramble(secret, salt)).toEqual(
          auth41.calculateToken(text, salt.subarray(0, 8), salt.subarray(8)),
        );
      }),
    );
  });

  test("are believed only with the right password and the right nonce", () => {
    fc.assert(
      fc.property(password, password, nonce, nonce, (right, wrong, salt, otherSalt) => {
        fc.pre(right !== wrong && !salt.equals(otherSalt));
        const stage2 = cachingSha2Stage2(Buffer.from(right));
        expect(verifyCachingSha2(stage2, salt, cachingSha2Scramble(Buffer.from(right), salt))).toBe(true);
        expect(verifyCachingSha2(stage2, salt, cachingSha2Scramble(Buffer.from(wrong), salt))).toBe(false);
        expect(verifyCachingSha2(stage2, otherSalt, cachingSha2Scramble(Buffer.from(right), salt))).toBe(false);
        expect(verifyCachingSha2(stage2, salt, Buffer.alloc(0))).toBe(false);
        expect(verifyNative(Buffer.alloc(20), salt, nativeScramble(Buffer.from(wrong), salt))).toBe(false);
      }),
    );
    expect(cachingSha2Scramble(Buffer.alloc(0), Buffer.alloc(20))).toHaveLength(0);
    expect(nativeScramble(Buffer.alloc(0), Buffer.alloc(20))).toHaveLength(0);
  });

  test("mixed with a nonce are had back by mixing again", () => {
    fc.assert(
      fc.property(bytes(100), nonce, (secret, salt) => {
        expect(xorWithNonce(xorWithNonce(secret, salt), salt)).toEqual(secret);
      }),
    );
  });
});
