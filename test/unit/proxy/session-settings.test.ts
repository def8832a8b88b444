import { describe, expect, test } from "vitest";
import { isSpeltOtherwise, meansOtherwise } from "../../../src/proxy/prepared-reading.ts";
import { SessionSettings } from "../../../src/proxy/session-settings.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };

function settings(max = 20): SessionSettings {
  return new SessionSettings(max, MODES);
}

/** Has the settings record what a text assigns; answers what became of each. */
function record(into: SessionSettings, text: string): unknown[] {
  const [facts] = analyzeSql(Buffer.from(text), into.modes);
  return (facts?.setAssignments ?? []).map((assignment) => into.record(assignment, "old"));
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
    ["SET RESOURCE GROUP batch", ["SET RESOURCE GROUP batch"]],
    ["SET timestamp = 1000.5", ["SET SESSION timestamp = 1000.5"]],
    ["SET timestamp = DEFAULT", ["SET SESSION timestamp = DEFAULT"]],
    ["SET timestamp = 0", ["SET SESSION timestamp = DEFAULT"]],
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
    ["SET sql_mode = 4", "read-back"],
    ["SET sql_mode = 'ANSI' '_QUOTES'", "read-back"],
    ["SET character_set_client = 28", "read-back"],
    ["SET @`ü` = 1", { pins: "the name of its user variable @ü is not of ASCII", lasts: "names" }],
    ["SET timestamp = UNIX_TIMESTAMP()", { pins: "the session variable timestamp was set from an expression" }],
    ["SET insert_id = 7", { pins: "the session variable insert_id was set" }],
    ["SET gtid_next = 'ANONYMOUS'", { pins: "the session variable gtid_next was set" }],
    ["SET gtid_next = 'AUTOMATIC'", "kept"],
    ["SET sql_log_bin = 1", "kept"],
    ["SET RESOURCE GROUP g FOR 7", { pins: "a resource group was set for threads" }],
  ])("that cannot be replayed as written say what is to be done: %s", (text, expected) => {
    expect(record(settings(), text)).toEqual([expected]);
  });

  test.each([
    ["are computed", ["SET @a = (SELECT 1)"]],
    ["are no ASCII", ["SET @a = 'ü'"]],
    ["were read in another character set", ["SET @a = 'x'", "SET NAMES latin1"]],
    ["were read in another mode", ['SET @a = "x"', "SET sql_mode = 'ANSI_QUOTES'"]],
  ])("of user variables that %s are read where they were made before any other backend is told", (_, texts) => {
    const made = settings();
    for (const text of ["SET time_zone = 'UTC'", ...texts, "SET @b = 1"]) record(made, text);
    expect(made.since(0)).toEqual(["SET SESSION `time_zone` = 'UTC'"]);
    expect(made.reachedFrom(0)).toBe(1);
    expect(made.unreadElsewhere("old")).toBeUndefined();
    expect(made.unreadElsewhere("new")).toEqual({ backend: "old", names: ["a"] });
    made.learned("a", "SET @`a` = 7");
    expect(made.since(1)).toContain("SET @`a` = 7");
    expect(made.reachedFrom(1)).toBe(made.serial);
    expect(made.unreadElsewhere("new")).toBeUndefined();
  });

  test("tell whether a text that was prepared before would be the same statement now", () => {
    const made = settings();
    const then = made.reading;
    const means = (text: string): boolean => meansOtherwise(Buffer.from(text), then, made.reading);
    const spelt = (text: string): boolean => isSpeltOtherwise(Buffer.from(text), then, made.reading);
    record(made, "SET sql_mode = 'STRICT_ALL_TABLES'");
    expect(means('SELECT "x"')).toBe(false);
    record(made, "SET sql_mode = 'ANSI'");
    expect([means("SELECT 'x'"), means('SELECT "x"'), means("SELECT 1 || 2")]).toEqual([false, true, true]);
    expect([made.reading.sqlMode, made.reading.parsedBy.ansiQuotes, then.parsedBy.ansiQuotes]).toEqual([
      ...["ANSI", true, false],
    ]);
    record(made, "SET sql_mode = '', NAMES latin1");
    expect(means('SELECT "x"')).toBe(false);
    expect([spelt("SELECT 1"), spelt("SELECT 'x'"), spelt("SELECT ü")]).toEqual([false, true, true]);
    made.reset("reset");
    expect(spelt("SELECT 'x'")).toBe(false);
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
    expect(record(made, "SET @c = 1")).toEqual([{ pins: "more than 2 settings", lasts: "count" }]);
  });
});
