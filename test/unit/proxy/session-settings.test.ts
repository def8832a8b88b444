import { describe, expect, test } from "vitest";
import { SessionSettings } from "../../../src/proxy/session-settings.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };

function settings(max = 20): SessionSettings {
  return new SessionSettings(max, MODES);
}

/** Has the settings record what a text assigns; answers what became of each. */
function record(into: SessionSettings, text: string): unknown[] {
  const [facts] = analyzeSql(Buffer.from(text), into.modes);
  return (facts?.setAssignments ?? []).map((assignment) => into.record(assignment));
}

describe("settings of a session", () => {
  test.each([
    [
      "SET sql_mode = 'ANSI', time_zone = '+01:00'",
      ["SET SESSION `sql_mode` = 'ANSI'", "SET SESSION `time_zone` = '+01:00'"],
    ],
    ["SET NAMES latin1 COLLATE latin1_bin", ["SET NAMES latin1 COLLATE latin1_bin"]],
    ["SET CHARACTER SET utf8mb4", ["SET CHARACTER SET utf8mb4"]],
    ["SET @a = 1, @`b c` := 'x'", ["SET @`a` = 1", "SET @`b c` = 'x'"]],
    ["SET @@session.autocommit = 0", ["SET SESSION `autocommit` = 0"]],
    ["SET ROLE reader", ["SET ROLE reader"]],
    ["SET GLOBAL max_connections = 5", []],
  ])("are replayed as they were made: %s", (text, expected) => {
    const made = settings();
    record(made, text);
    expect(made.since(0)).toEqual(expected);
  });

  test("replace earlier ones of the same variable, and are replayed in the order of their last change", () => {
    const made = settings();
    for (const text of ["SET @a = 1", "SET NAMES utf8mb4", "SET @A = 2"]) record(made, text);
    expect(made.since(0)).toEqual(["SET NAMES utf8mb4", "SET @`A` = 2"]);
    expect(made.since(2)).toEqual(["SET @`A` = 2"]);
  });

  test.each([
    ["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "read-back"],
    ["SET sql_mode = DEFAULT", "read-back"],
    ["SET @a = (SELECT 1)", { pins: "user variable @a was set from an expression" }],
    ["SET @a = 'ü'", { pins: "user variable @a was set from an expression" }],
    ["SET insert_id = 7", { pins: "the session variable insert_id was set" }],
    ["SET gtid_next = 'AUTOMATIC'", { pins: "the session variable gtid_next was set" }],
  ])("that cannot be replayed as written say what is to be done: %s", (text, expected) => {
    expect(record(settings(), text)).toEqual([expected]);
  });

  test("read back are replayed as constants", () => {
    const made = settings();
    made.recordReadBack("sql_mode", "ANSI_QUOTES,STRICT_ALL_TABLES");
    made.recordReadBack("wait_timeout", "28800");
    made.recordReadBack("character_set_results", null);
    expect(made.since(0)).toEqual([
      "SET SESSION `sql_mode` = 'ANSI_QUOTES,STRICT_ALL_TABLES'",
      "SET SESSION `wait_timeout` = 28800",
      "SET SESSION `character_set_results` = NULL",
    ]);
    expect(made.modes.ansiQuotes).toBe(true);
  });

  test("change how texts are read", () => {
    const made = settings();
    record(made, "SET NAMES gbk, sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
    expect(made.modes).toMatchObject({ charset: "unsafe", ansiQuotes: true, noBackslashEscapes: true });
    made.reset("reset");
    expect(made.modes).toEqual(MODES);
    expect(made.since(0)).toEqual([]);
  });

  test("with which a BEGIN shows at once forbid keeping it back", () => {
    const made = settings();
    expect(made.allowsLazy).toBe(true);
    record(made, "SET completion_type = 1");
    expect(made.allowsLazy).toBe(false);
    record(made, "SET completion_type = 'NO_CHAIN', session_track_transaction_info = 'STATE'");
    expect(made.allowsLazy).toBe(false);
    record(made, "SET session_track_transaction_info = OFF");
    expect(made.allowsLazy).toBe(true);
  });

  test("are bounded: one more ties the session to its backend", () => {
    const made = settings(2);
    for (const text of ["SET @a = 1", "SET @b = 1", "SET @a = 2"]) expect(record(made, text)).toEqual(["kept"]);
    expect(record(made, "SET @c = 1")).toEqual([{ pins: "more than 2 settings" }]);
  });
});
