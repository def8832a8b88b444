import { describe, expect, test } from "vitest";
import { leftInSession } from "../../../src/preflight/left-in-session.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };
const VARIABLES = new Set(["sql_mode", "timestamp"]);
const SETTINGS = "settings of the session";

describe("the body of a routine leaves in the session that calls it", () => {
  test.each<readonly [body: string, left: readonly string[], why: string]>([
    ["BEGIN DECLARE n INT; SELECT 1 INTO n; SET n = 2; UPDATE t SET a = n; END", [], "nothing of its own variables"],
    ["BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET n = 1; END", [], "nothing by a handler of conditions"],
    ["SELECT '@a', 'GET_LOCK' -- @b", [], "nothing by texts and comments"],
    ["BEGIN START TRANSACTION; COMMIT; END", [], "nothing that its status does not tell"],
    ["BEGIN SET @a = 1; SELECT 2 INTO @`b c`; SELECT @d; END", ["@a", "@b c", "@d"], "variables that it names"],
    ["CREATE TEMPORARY TABLE t (id INT)", ["temporary tables"], "temporary tables"],
    ["DO `get_lock`('x', 1)", ["user-level locks"], "locks, in any spelling"],
    ["BEGIN PREPARE s FROM @t; EXECUTE s; END", ["prepared statements", "@t"], "statements"],
    ["SET sql_mode = ''", [SETTINGS], "settings by name"],
    ["SET SESSION sql_mode := ''", [SETTINGS], "settings by scope"],
    ["SET @@session.sql_mode = ''", [SETTINGS], "settings by at signs"],
    ["IF @@sql_mode <> '' THEN SELECT timestamp FROM t; END IF", [], "nothing by reading settings"],
    ["SET NAMES latin1", [SETTINGS], "character sets"],
    ["SET a = 1, ROLE reader", [SETTINGS], "roles"],
    ["SET SESSION TRANSACTION READ ONLY", [SETTINGS], "what transactions are like"],
    ["FLUSH TABLES WITH READ LOCK", ["locks by FLUSH"], "locks of the server"],
    ["SELECT service_get_write_locks('a', 'b', 1)", ["locks of a service"], "locks of a component"],
    ["SELECT 'unfinished", ["what cannot be read"], "anything"],
  ])("%s: %j (%s)", (body, left) => {
    expect([...leftInSession(body, MODES, VARIABLES)]).toEqual(left);
  });
});
