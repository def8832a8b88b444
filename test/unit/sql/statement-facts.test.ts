import { describe, expect, test } from "vitest";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import type { StatementFacts } from "../../../src/sql/statement.ts";
import { factsOf, PLAIN } from "./sql-facts.ts";

describe("transactions", () => {
  test.each<readonly [string, Partial<StatementFacts>, string]>([
    ["begin", { kind: "begin", beginForm: "plain", touchesEverything: false }, "plain"],
    ["BEGIN WORK", { kind: "begin", beginForm: "plain" }, "with its noise word"],
    ["start transaction", { kind: "begin", beginForm: "plain" }, "the long form"],
    ["start transaction read only", { kind: "begin", beginForm: "read-only" }, "read only"],
    ["start transaction read write", { kind: "begin", beginForm: "read-write" }, "fails at once on a read-only server"],
    [
      "start transaction read only, with consistent snapshot",
      { kind: "begin", beginForm: "consistent-snapshot", touchesEverything: true, wholeServer: true },
      "a snapshot is taken now, whatever else is said",
    ],
    ["begin transaction", { kind: "begin", touchesEverything: true }, "not MySQL's"],
    ["start replica", { kind: "other", touchesEverything: true }, "not a transaction"],
    ["commit", { kind: "commit", chain: false, release: false }, "plain"],
    ["commit work and chain", { kind: "commit", chain: true }, "a new one begins at once"],
    ["rollback and no chain release", { kind: "rollback", chain: false, release: true }, "the connection ends"],
    ["commit and chain no release", { kind: "commit", chain: true, release: false }, "NO binds to the next word"],
    ["savepoint a", { kind: "savepoint", savepoint: { action: "set", name: "a" } }, "set"],
    ["rollback to a", { kind: "savepoint", savepoint: { action: "rollback-to", name: "a" } }, "not the end of it"],
    [
      "rollback work to savepoint `a b`",
      { kind: "savepoint", savepoint: { action: "rollback-to", name: "a b" } },
      "long",
    ],
    ["release savepoint a", { kind: "savepoint", savepoint: { action: "release", name: "a" } }, "released"],
  ])("%s is %j (%s)", (sql, expected) => {
    expect(factsOf(sql)).toMatchObject(expected);
  });

  test.each([
    ["begin", true],
    ["commit", false],
    ["insert into t values (1)", false],
    ["create table t (a int)", true],
    ["create temporary table t (a int)", false],
    ["drop temporary table t", false],
    ["truncate t", true],
    ["lock tables t read", true],
    ["unlock tables", true],
    ["set autocommit = 1", true],
    ["set session autocommit = 0", true],
    ["set sql_mode = ''", false],
    ["analyze table t", true],
    ["flush tables t", true],
    ["grant all on a.* to b", true],
    ["set password = 'x'", true],
    ["call p()", false],
    ["unheard of", true],
  ])("%s ends a transaction by itself: %s", (sql, expected) => {
    expect(factsOf(sql).causesImplicitCommit).toBe(expected);
  });
});

describe("SET says what it assigns, and keeps the text of the value", () => {
  test.each([
    ["set a = 1", [{ scope: "session", name: "a", valueText: "1", literal: true }]],
    ["set A := -1.5", [{ scope: "session", name: "a", valueText: "-1.5", literal: true }]],
    ["set session sql_mode = 'x,y'", [{ scope: "session", name: "sql_mode", valueText: "'x,y'", literal: true }]],
    ["set local autocommit=ON", [{ scope: "session", name: "autocommit", valueText: "ON", literal: true }]],
    ["set @@session.autocommit=0", [{ scope: "session", name: "autocommit", valueText: "0", literal: true }]],
    ["set @@autocommit=0", [{ scope: "session", name: "autocommit", valueText: "0", literal: true }]],
    ["set global x = 1", [{ scope: "global", name: "x", valueText: "1", literal: true }]],
    ["set persist x = 1", [{ scope: "persist", name: "x", valueText: "1", literal: true }]],
    ["set @@persist_only.x = 1", [{ scope: "persist-only", name: "x", valueText: "1", literal: true }]],
    [
      "set cache.key_buffer_size = 1",
      [{ scope: "session", name: "cache.key_buffer_size", valueText: "1", literal: true }],
    ],
    ["set @X = 'a'", [{ scope: "user", name: "X", valueText: "'a'", literal: true }]],
    ["set @`a b` = _utf8mb4'x'", [{ scope: "user", name: "a b", valueText: "_utf8mb4'x'", literal: true }]],
    ["set @x = @y", [{ scope: "user", name: "x", valueText: "@y", literal: false }]],
    [
      "set @x = concat('a', 'b'), y = 2",
      [
        { scope: "user", name: "x", valueText: "concat('a', 'b')", literal: false },
        { scope: "session", name: "y", valueText: "2", literal: true },
      ],
    ],
    ["set sql_mode = default", [{ scope: "session", name: "sql_mode", valueText: "default", literal: true }]],
    [
      "set names utf8mb4 collate utf8mb4_bin",
      [{ scope: "names", name: "", valueText: "utf8mb4 collate utf8mb4_bin", literal: true }],
    ],
    [
      "set names 'latin1', autocommit = 1",
      [
        { scope: "names", name: "", valueText: "'latin1'", literal: true },
        { scope: "session", name: "autocommit", valueText: "1", literal: true },
      ],
    ],
    ["set character set utf8mb4", [{ scope: "character-set", name: "", valueText: "utf8mb4", literal: true }]],
    ["set charset default", [{ scope: "character-set", name: "", valueText: "default", literal: true }]],
    [
      "set transaction isolation level read committed, read only",
      [
        { scope: "next-transaction", name: "transaction_isolation", valueText: "'READ-COMMITTED'", literal: true },
        { scope: "next-transaction", name: "transaction_read_only", valueText: "1", literal: true },
      ],
    ],
    [
      "set session transaction isolation level serializable",
      [{ scope: "session", name: "transaction_isolation", valueText: "'SERIALIZABLE'", literal: true }],
    ],
    [
      "set @@transaction_isolation = 'SERIALIZABLE'",
      [{ scope: "next-transaction", name: "transaction_isolation", valueText: "'SERIALIZABLE'", literal: true }],
    ],
    [
      "set transaction_isolation = 'SERIALIZABLE'",
      [{ scope: "session", name: "transaction_isolation", valueText: "'SERIALIZABLE'", literal: true }],
    ],
    ["set role a, b", [{ scope: "role", name: "", valueText: "a, b", literal: true }]],
    ["set role all except a", [{ scope: "role", name: "", valueText: "all except a", literal: true }]],
    ["set resource group g", [{ scope: "resource-group", name: "", valueText: "g", literal: true }]],
  ])("%s", (sql, expected) => {
    const facts = factsOf(sql);
    expect(facts.setAssignments).toEqual(expected);
    expect(facts).toMatchObject({ kind: "set", touchesEverything: false });
  });

  test.each(["set", "set a", "set a =", "set a = 1,", "set a = (1", "set transaction gibberish", "set 1 = 2"])(
    "%s is not understood and touches everything",
    (sql) => {
      expect(factsOf(sql).touchesEverything).toBe(true);
    },
  );

  test.each(["set password = 'x'", "set password for a = 'x'", "set default role all to a"])(
    "%s is of accounts",
    (sql) => {
      expect(factsOf(sql)).toMatchObject({ kind: "account", touchesEverything: true });
    },
  );
});

describe("state that a server hides", () => {
  test.each([
    ["select 1", []],
    ["select a into @x from t", ["assigns-user-variables"]],
    ["select @x := 1", ["assigns-user-variables"]],
    ["set @x = 1", ["assigns-user-variables"]],
    ["load data local infile 'f' into table t (a, @x) set b = @x", ["assigns-user-variables"]],
    ["load data local infile 'f' into table t fields terminated by '@' (a, b)", []],
    ["select sql_calc_found_rows * from t", ["calculates-found-rows"]],
    ["select found_rows()", ["reads-found-rows"]],
    ["select row_count()", ["reads-row-count"]],
    ["select LAST_INSERT_ID()", ["reads-last-insert-id"]],
    ["update t set a = last_insert_id(a + 1)", ["sets-last-insert-id"]],
    ["select @@identity, @@session.last_insert_id", ["reads-last-insert-id"]],
    ["select connection_id()", ["reads-connection-id"]],
    ["select @@warning_count", ["reads-diagnostics"]],
    ["show errors", ["reads-diagnostics"]],
    ["show count(*) warnings", ["reads-diagnostics"]],
    ["select 'found_rows()', `row_count` from t -- connection_id()", []],
    ["select `connection_id`()", ["reads-connection-id"]],
  ])("%s has %j", (sql, effects) => {
    expect(factsOf(sql).effects).toEqual(effects);
  });

  test.each([
    ["select a, b into @x, @`y z` from t", ["x", "y z"]],
    ["select @W := @w + 1, @'q' := 2", ["w", "q"]],
    ["set @x = (@y := 1), @z = 3", ["x", "y", "z"]],
    ["load data local infile 'f' into table t (a, @x) set b = @x", ["x"]],
    ["get diagnostics condition 1 @p = message_text", ["p"]],
    ["explain format = json into @plan select * from t", ["plan"]],
    ["select '@no', @yes -- @no", undefined],
  ])("%s names the user variables %j", (sql, names) => {
    expect(factsOf(sql).userVariables).toEqual(names);
  });

  test.each([
    ["select get_lock('a', 1)", true],
    ["do release_lock('a')", true],
    ["select is_free_lock('a') from t", true],
    ["set @x = get_lock('a', 1)", true],
    ["select 'get_lock(1)'", false],
  ])("%s uses locks by name: %s", (sql, expected) => {
    expect(factsOf(sql).locksUserLevel).toBe(expected);
  });
});

describe("a statement that locks or writes is no read", () => {
  test.each([
    ["select * from t", true],
    ["select * from t for update", false],
    ["select * from t for share", false],
    ["select * from t lock in share mode", false],
    ["select * from t where a in (select b from u for update)", false],
    ["select substring(a from 1 for 2) from t", true],
    ["select * into outfile 'x' from t", false],
    ["set global a = 1", false],
    ["set a = 1", true],
    ["call p()", false],
  ])("%s reads only: %s", (sql, expected) => {
    expect(factsOf(sql).readOnly).toBe(expected);
  });
});

describe("smaller facts", () => {
  test.each([
    ["use shop", { kind: "use", useSchema: "shop" }],
    ["use `my shop`", { kind: "use", useSchema: "my shop" }],
    ["kill 15", { kind: "kill", kill: { what: "connection", id: 15 } }],
    ["kill query 15", { kind: "kill", kill: { what: "query", id: 15 } }],
    ["kill connection 15", { kind: "kill", kill: { what: "connection", id: 15 } }],
    ["kill @x", { kind: "kill", kill: { what: "connection" } }],
    ["kill 15 + 1", { kind: "kill", kill: { what: "connection" } }],
    ["create temporary table shop.x (a int)", { createsTemporaryTable: { schema: "shop", table: "x", write: true } }],
    ["drop temporary table x", { dropsTables: [{ table: "x", write: true }], tables: [] }],
    ["drop table x", { dropsTables: [{ table: "x", write: true }] }],
    ["", { kind: "other", touchesEverything: false, tables: [] }],
    ["-- nothing", { kind: "other", touchesEverything: false, tables: [] }],
  ])("%s is %j", (sql, expected) => {
    expect(factsOf(sql)).toMatchObject(expected);
  });
});

describe("several statements in one text", () => {
  const slices = (sql: string): string[] => {
    const text = Buffer.from(sql);
    return analyzeSql(text, PLAIN).map(({ start, end }) => text.toString("utf8", start, end));
  };

  test.each([
    ["select 1; select 2", ["select 1", " select 2"]],
    ["select 1;", ["select 1"]],
    ["select 1; -- end", ["select 1"]],
    ["select ';' ; select `;`", ["select ';' ", " select `;`"]],
    ["select 1 /* ; */; select 2", ["select 1 /* ; */", " select 2"]],
    ["select 1;; select 2", ["select 1", "", " select 2"]],
    ["create procedure p() begin select 1; select 2; end", ["create procedure p() begin select 1; select 2; end"]],
    [
      "select 1; create trigger x after insert on t for each row begin a; b; end",
      ["select 1", " create trigger x after insert on t for each row begin a; b; end"],
    ],
    ["create table a (b int); drop table c", ["create table a (b int)", " drop table c"]],
  ])("%s", (sql, expected) => {
    expect(slices(sql)).toEqual(expected);
  });

  test("more than are read are refused, and not read in part", () => {
    expect(() => analyzeSql(Buffer.from(";".repeat(20_000)), PLAIN)).toThrow("SQL_TOO_MANY_STATEMENTS");
  });
});

describe("statements that are prepared as text", () => {
  test.each([
    ["prepare s from 'select 1'", { action: "prepare", name: "s", text: "select 1" }],
    ["prepare `s t` from 'it''s \\n \\% \\\\ \\q'", { action: "prepare", name: "s t", text: "it's \n \\% \\ q" }],
    ['prepare s from "a\'b""c"', { action: "prepare", name: "s", text: "a'b\"c" }],
    ["prepare s from @v", { action: "prepare", name: "s", variable: "v" }],
    ["prepare s from concat('a')", undefined],
    ["prepare s from 'a' 'b'", undefined],
    ["execute s using @a, @b", { action: "execute", name: "s" }],
    ["deallocate prepare S", { action: "deallocate", name: "S" }],
    ["drop prepare s", { action: "deallocate", name: "s" }],
    ["drop prepare s, t", undefined],
  ])("%s", (sql, expected) => {
    const { dynamic } = factsOf(sql);
    const text = dynamic?.action === "prepare" && dynamic.text !== undefined ? { text: dynamic.text.toString() } : {};
    expect(dynamic && { ...dynamic, ...text }).toEqual(expected);
  });

  test("keep backslashes where they are no escapes", () => {
    const { dynamic } = factsOf("prepare s from 'a\\n''b'", { ansiQuotes: false, noBackslashEscapes: true });
    expect(dynamic?.action === "prepare" && dynamic.text?.toString()).toBe("a\\n'b");
  });
});

describe("distributed transactions are known by one form of their name", () => {
  test.each([
    ["xa start 'ab', 'c', 2", { action: "start", xid: "6162.63.2" }],
    ["XA BEGIN 0x6162,X'63',0x2 JOIN", { action: "start", xid: "6162.63.2" }],
    ["xa end 'a' suspend", { action: "end", xid: "61..1" }],
    ["xa prepare 'a'", { action: "prepare", xid: "61..1" }],
    ["xa commit 'a' one phase", { action: "commit", xid: "61..1", onePhase: true }],
    ["xa commit 0x161", { action: "commit", xid: "0161..1", onePhase: false }],
    ["xa rollback 'it''s',''", { action: "rollback", xid: "69742773..1" }],
    ["xa recover convert xid", { action: "recover" }],
    ["xa commit @a", undefined],
    ["xa nonsense 'a'", undefined],
  ])("%s", (sql, expected) => {
    expect(factsOf(sql).xa).toEqual(expected);
  });
});
