import { describe, expect, test } from "vitest";
import { executeFor, PreparedStatement, readExecute } from "../../../src/proxy/prepared-statement.ts";
import { SessionSettings } from "../../../src/proxy/session-settings.ts";
import { CAP } from "../../../src/wire/capabilities.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };

const HEAD = [0x17, 9, 0, 0, 0, 0, 1, 0, 0, 0];
const TYPES = [0x08, 0x00, 0xfd, 0x00];

describe("an execute", () => {
  test("without types gets those that were sent before, where the backend has not had them", () => {
    const first = Buffer.from([...HEAD, 0, 1, ...TYPES, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0x61]);
    const again = Buffer.from([...HEAD, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0x62]);
    const types = readExecute(first, 2, 0).types;
    expect(types).toEqual(Buffer.from(TYPES));
    const parts = readExecute(again, 2, 0);
    expect(parts.types).toBeUndefined();
    const sent = executeFor(again, parts, 0x01020304, types);
    expect([...sent]).toEqual([0x17, 4, 3, 2, 1, ...HEAD.slice(5), 0, 1, ...TYPES, ...again.subarray(12)]);
    expect([...executeFor(again, parts, 5, undefined)].slice(1, 5)).toEqual([5, 0, 0, 0]);
  });

  test("with query attributes carries the names of its parameters", () => {
    const named = Buffer.from([0x17, 9, 0, 0, 0, 0x08, 1, 0, 0, 0, 2, 0, 1, 0x08, 0, 0, 0xfd, 0, 1, 0x6e, 1, 1, 0x61]);
    const parts = readExecute(named, 1, CAP.QUERY_ATTRIBUTES);
    expect(parts.types).toEqual(Buffer.from([0x08, 0, 0, 0xfd, 0, 1, 0x6e]));
  });

  test("without parameters has none, whatever follows", () => {
    expect(readExecute(Buffer.from(HEAD), 0, 0)).toMatchObject({ flagAt: -1, opensCursor: false });
    const cursor = Buffer.from(HEAD);
    cursor[5] = 1;
    expect(readExecute(cursor, 0, 0).opensCursor).toBe(true);
  });

  test.each([
    ["ends before its flags", [0x17, 9, 0, 0, 0]],
    ["ends before its types", [...HEAD, 0, 1, 8]],
    ["ends before its NULL bits", HEAD],
  ])("that %s is refused", (_, bytes) => {
    expect(() => readExecute(Buffer.from(bytes), 2, 0)).toThrow("WIRE_MALFORMED");
  });

  test("is preceded by the values sent ahead, under the backend's id", () => {
    const statement = new PreparedStatement(
      9,
      Buffer.from("x"),
      { schema: undefined, reading: new SessionSettings(1, MODES).reading },
      2,
    );
    statement.longData.set(1, [Buffer.from("ab"), Buffer.from("c")]);
    expect(statement.longDataCommands(0x0a)).toEqual([
      Buffer.from([0x18, 0x0a, 0, 0, 0, 1, 0, 0x61, 0x62]),
      Buffer.from([0x18, 0x0a, 0, 0, 0, 1, 0, 0x63]),
    ]);
  });
});
