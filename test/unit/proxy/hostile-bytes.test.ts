import { describe, expect, test } from "vitest";
import { isSwitchyardError } from "../../../src/base/errors.ts";
import { executeFor, readExecute, statementIdOf, withStatementId } from "../../../src/proxy/prepared-statement.ts";
import { withStatus } from "../../../src/proxy/reply-jobs.ts";
import { buildEof, parseEof } from "../../../src/wire/eof-packet.ts";
import { buildOk, parseOk } from "../../../src/wire/ok-packet.ts";
import { fc } from "../../support/seeded-properties.ts";

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));

/** Runs something over bytes from a client: it may refuse them in words of ours, and nothing else. */
function refusesInWords(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(isSwitchyardError(error, "WIRE_MALFORMED")).toBe(true);
  }
}

describe("bytes of a client", () => {
  test("are read as a command on a prepared statement, or refused in words", () => {
    fc.assert(
      fc.property(bytes, fc.nat(70), fc.constantFrom(0, 1 << 27), (payload, parameters, capabilities) => {
        refusesInWords(() => statementIdOf(payload));
        refusesInWords(() => withStatementId(payload, 1));
        refusesInWords(() => {
          const parts = readExecute(payload, parameters, capabilities);
          const sent = executeFor(payload, parts, 7, Buffer.from([8, 0]));
          expect(sent.readUInt32LE(1)).toBe(7);
        });
      }),
    );
  });
});

describe("the status of a reply", () => {
  test("gets flags and keeps all else, in OK and EOF packets of any content", () => {
    const ok = fc.record({
      affectedRows: fc.nat(),
      lastInsertId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      status: fc.nat(0x3fff),
      warnings: fc.nat(0xffff),
      info: bytes,
    });
    fc.assert(
      fc.property(ok, fc.constantFrom(0x00 as const, 0xfe as const), (packet, first) => {
        const whole = { ...packet, tracks: [] };
        const edited = parseOk(withStatus(buildOk(whole, 0, first), "ok", 1), 0);
        expect(edited).toEqual({ ...whole, status: packet.status | 1 });
      }),
    );
    expect(parseEof(withStatus(buildEof({ warnings: 3, status: 2 }), "eof", 1))).toEqual({ warnings: 3, status: 3 });
    const error = Buffer.from([0xff, 1, 2]);
    expect(withStatus(error, "error", 1)).toBe(error);
  });
});
