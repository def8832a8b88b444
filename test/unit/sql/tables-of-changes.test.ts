import { describe, expect, test } from "vitest";
import { factsOf, tablesOf } from "./sql-facts.ts";

const CHANGES: readonly (readonly [sql: string, kind: string, tables: string, why: string])[] = [
  ["insert into t values (1)", "insert", "t!", "plain"],
  ["insert t values (1)", "insert", "t!", "without INTO"],
  ["insert into t () values ()", "insert", "t!", "empty lists"],
  ["insert into t value (1)", "insert", "t!", "VALUE"],
  ["insert low_priority ignore into shop.t (a, b) values (1, 'x')", "insert", "shop.t!", "modifiers"],
  ["insert into t set a = 1, b = (select 2 from u)", "insert", "t! u", "SET with a subquery"],
  ["insert into t partition (p0) (a) select a from u join v", "insert", "t! u v", "from a query"],
  ["insert into t (select a from u)", "insert", "t! u", "in parentheses"],
  ["insert into t table u", "insert", "t! u", "from TABLE"],
  ["insert into t (a) values (1) as new(n) on duplicate key update a = new.n", "insert", "t!", "a row alias"],
  [
    "insert into t select * from u on duplicate key update a = 1, b = values(b)",
    "insert",
    "t! u",
    "commas after ON DUPLICATE are not tables",
  ],
  [
    "insert into t select * from a join b on duplicate.x = b.y, c",
    "insert",
    "t! a b c",
    "ON DUPLICATE is not ON duplicate.x",
  ],
  ["replace into t values (1)", "replace", "t!", "REPLACE"],
  ["replace delayed t select * from u", "replace", "t! u", "with a query"],
  ["update t set a = 1 where id = 2", "update", "t!", "plain"],
  ["update low_priority ignore t as x set x.a = 1", "update", "t!", "modifiers and alias"],
  ["update a, b join c using (id) set a.x = b.x", "update", "a! b! c!", "many tables"],
  ["update a join (select * from b) d set a.x = d.x", "update", "a! b", "a derived table is not written"],
  ["update (a join b) set x = 1, y = 2", "update", "a! b!", "a join in parentheses"],
  ["update t set a = (select max(b) from u), c = 3 order by d, e limit 1", "update", "t! u", "commas after SET"],
  ["delete from t", "delete", "t!", "plain"],
  ["delete low_priority quick ignore from shop.t where a in (select b from u)", "delete", "shop.t! u", "modifiers"],
  ["delete from t as x partition (p0) where x.a = 1 order by b, c limit 3", "delete", "t!", "alias"],
  ["delete t1 from t1 join t2", "delete", "t1! t2!", "the tables before FROM are of the list"],
  ["delete a.*, shop.b.* from t1 as a join shop.b", "delete", "t1! shop.b!", "with stars and aliases"],
  ["delete from a, b using t1 as a join t2 as b using (id)", "delete", "t1! t2!", "USING has the tables"],
  ["delete quick from quick join u", "delete", "quick! u!", "a table called like a modifier"],
  [
    "load data local infile 'x' into table shop.t fields terminated by ',' (a, @b) set c = @b",
    "load-data",
    "shop.t!",
    "LOAD DATA",
  ],
  ["load data infile 'into table x' replace into table t", "load-data", "t!", "the file's name is a string"],
  ["load xml infile 'x' into table t", "load-data", "t!", "LOAD XML"],
  ["load index into cache t", "other", "*", "not a load of rows"],
];

const DEFINITIONS: readonly (readonly [sql: string, tables: string, why: string])[] = [
  ["create table t (id int primary key, b varchar(10), key idx (b), c int default (1+1))", "t!", "plain"],
  ["create table if not exists shop.t (id int)", "shop.t!", "IF NOT EXISTS"],
  ["create table t like shop.u", "t! shop.u", "LIKE"],
  ["create table t (like u)", "t! u", "LIKE in parentheses"],
  ["create table t (a int check (a like 'x'))", "t!", "another LIKE"],
  ["create table t as select * from u", "t! u", "AS SELECT"],
  ["create table t (a int) ignore as (select * from u where f(x))", "t! u *", "whose functions count"],
  ["create table t (a int references u (id), foreign key (a) references shop.v (id))", "t! u! shop.v!", "references"],
  ["create table t (id int) engine=merge union=(a,b)", "t! *", "a union of tables"],
  ["create table t (id int) partition by range (id) (partition p0 values less than (10))", "t!", "partitions"],
  ["create temporary table x (id int)", "", "a temporary table is the session's"],
  ["create temporary table x select * from u", "u", "but its source is not"],
  [
    "create or replace algorithm=merge definer=`a`@`%` sql security invoker view v (x) as select * from t",
    "v! t",
    "a view",
  ],
  ["create view v as with x as (select * from t) select * from x", "v! t", "of a common table expression"],
  ["alter view v as select * from t", "v! t", "altered"],
  ["create unique index i on shop.t (a, b(10))", "shop.t!", "an index"],
  ["create index `on` using btree on t (a)", "t!", "called ON"],
  ["drop index i on t", "t!", "dropped"],
  ["create trigger x before insert on t for each row set new.a = 1", "t! *", "a trigger"],
  [
    "create definer=a@b trigger x after update on shop.t for each row begin insert into u values(1); end",
    "shop.t! *",
    "its body",
  ],
  ["create procedure p() begin select 1; select 2; end", "*", "a procedure"],
  ["create event e on schedule every 1 day do delete from t", "*", "an event"],
  ["create function f() returns int return 1", "*", "a function"],
  ["create database shop", "", "an empty schema touches nothing"],
  ["drop database shop", "*", "but dropping one does"],
  ["create user a identified by 'x'", "*", "accounts concern every home"],
  ["alter table shop.t add column a int, drop index i, algorithm=inplace", "shop.t!", "alter"],
  ["alter table t rename to shop.u", "t! shop.u!", "renamed"],
  ["alter table t rename u, add column x int", "t! u!", "without TO"],
  ["alter table t rename column a to b, rename index i to j, rename key k to l", "t!", "columns and keys"],
  ["alter table t exchange partition p0 with table u without validation", "t! u!", "exchange"],
  ["alter table t add constraint c foreign key (a) references u (id) on delete cascade", "t! u!", "foreign key"],
  ["drop table if exists a, shop.b cascade", "a! shop.b!", "many"],
  ["drop tables a", "a!", "DROP TABLES"],
  ["drop temporary table if exists x", "", "of the session"],
  ["drop view if exists v, w", "v! w!", "views"],
  ["drop trigger x", "*", "whose table is not in the text"],
  ["truncate table shop.t", "shop.t!", "TRUNCATE"],
  ["truncate t", "t!", "without TABLE"],
  ["rename table a to b, shop.c to shop.d", "a! b! shop.c! shop.d!", "RENAME"],
  ["rename user a to b", "*", "accounts"],
  ["analyze no_write_to_binlog table a, b", "a! b!", "ANALYZE"],
  ["optimize local table a", "a!", "OPTIMIZE"],
  ["check table a for upgrade", "a!", "CHECK"],
  ["repair table a quick", "a!", "REPAIR"],
  ["checksum table a, b extended", "a b", "CHECKSUM only reads"],
  ["lock tables a as x read, shop.b low_priority write, c read local", "a! shop.b! c!", "LOCK TABLES"],
  ["lock instance for backup", "*", "the whole server"],
  ["flush tables a, b with read lock", "a! b!", "FLUSH of some"],
  ["flush tables with read lock", "*", "of all"],
  ["flush privileges", "*", "of the server"],
  ["handler shop.t open as h", "shop.t", "HANDLER"],
  ["handler h read idx >= (1) where f(x)", "h *", "reads by alias"],
  ["grant select on shop.t to a", "*", "accounts"],
  ["call p(1)", "*", "procedures"],
  ["prepare s from 'select * from t'", "*", "dynamic SQL"],
  ["execute s", "*", "dynamic SQL"],
  ["xa start 'x'", "*", "distributed transactions"],
  ["frobnicate the table", "*", "not known"],
  ["'text'", "*", "no statement at all"],
  ["import table from 'x'", "*", "not built"],
  ["binlog 'abc'", "*", "rows in disguise"],
];

const READS: readonly (readonly [sql: string, kind: string, tables: string, why: string])[] = [
  ["show full columns from t from shop like 'a%'", "show", "shop.t", "the schema comes last"],
  ["show index in shop.t", "show", "shop.t", "IN"],
  ["show create table shop.t", "show", "shop.t", "definition"],
  ["show table status like 'x'", "show", "", "TABLE names none here"],
  ["show tables from shop where (select 1 from t)", "show", "t", "a subquery"],
  ["show variables where f(variable_name)", "show", "*", "a function"],
  ["show warnings", "show", "", "diagnostics"],
  ["describe shop.t", "explain", "shop.t", "DESCRIBE"],
  ["desc t a", "explain", "t", "of a column"],
  ["explain t", "explain", "t", "EXPLAIN of a table"],
  ["explain format=json select * from t", "explain", "t", "of a query"],
  ["explain analyze select * from t where f(x)", "explain", "t *", "executed"],
  ["explain update t set a = 1", "explain", "t", "which writes nothing"],
  ["explain format=json into @x for schema shop select * from t, u.v", "explain", "shop.t u.v", "in another schema"],
  ["explain for connection 5", "explain", "*", "what it touches is not in the text"],
  ["do sleep(1), (select 1 from t)", "do", "t", "DO"],
  ["set @a = (select max(id) from t)", "set", "t", "SET with a subquery"],
  ["set @a = f(1)", "set", "*", "or a function"],
  ["get diagnostics @a = number", "show", "", "diagnostics"],
  ["help 'x'", "other", "", "HELP"],
  ["signal sqlstate '45000'", "other", "", "SIGNAL"],
  ["unlock tables", "unlock-tables", "", "UNLOCK"],
  ["deallocate prepare s", "deallocate", "", "DEALLOCATE"],
  ["drop prepare s", "deallocate", "", "its other name"],
];

describe("the tables of statements that change rows", () => {
  test.each(CHANGES)("%s → %s: %s (%s)", (sql, kind, tables) => {
    expect(tablesOf(sql)).toBe(tables);
    expect(factsOf(sql)).toMatchObject({ kind, readOnly: false });
  });
});

describe("the tables of statements that change definitions", () => {
  test.each(DEFINITIONS)("%s → %s (%s)", (sql, tables) => {
    expect(tablesOf(sql)).toBe(tables);
  });
});

describe("the tables of statements that show", () => {
  test.each(READS)("%s → %s: %s (%s)", (sql, kind, tables) => {
    expect(tablesOf(sql)).toBe(tables);
    expect(factsOf(sql)).toMatchObject({ kind, readOnly: true });
  });
});
