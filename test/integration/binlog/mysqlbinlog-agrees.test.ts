import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectSameAsPrinted } from "../../support/compare-logs.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { logOf, mysqlbinlog } from "./real-binlog.ts";

const GOLDEN = join(import.meta.dirname, "../../golden/binlog");
const read = (name: string): string => readFileSync(join(GOLDEN, name), "utf8");

let servers: { one: TestServer };

beforeAll(async () => {
  servers = await startServers(["one"]);
}, 60_000);
afterAll(() => stopServers(servers));

const IMAGES = ["FULL", "NOBLOB", "MINIMAL"];
const COMBINATIONS = ["FULL", "MINIMAL"].flatMap((metadata) =>
  ["CRC32", "NONE"].flatMap((checksum) =>
    ["", "PARTIAL_JSON"].flatMap((json) =>
      ["OFF", "ON"].map((compression) => [metadata, checksum, json, compression] as const),
    ),
  ),
);

describe("what a server writes is read as mysqlbinlog reads it, event by event and value by value", () => {
  test.each(COMBINATIONS)("metadata %s, checksums %s, partial JSON '%s', compression %s", async (...options) => {
    const [metadata, checksum, json, compression] = options;
    await servers.one.root(`SET GLOBAL binlog_row_metadata = ${metadata}; SET GLOBAL binlog_checksum = ${checksum}`);
    for (const image of IMAGES) {
      const file = await logOf(
        servers.one,
        `SET binlog_row_image = ${image}, binlog_row_value_options = '${json}', binlog_transaction_compression = ${compression};
         ${read("every-type.sql")} ${read("json.sql")}`,
      );
      const printed = await mysqlbinlog(file);
      expectSameAsPrinted(readFileSync(file), printed);
      // What was asked for has been in the log.
      expect(printed.includes("Transaction_Payload")).toBe(compression === "ON");
      expect(printed.includes("CRC32 0x")).toBe(checksum === "CRC32");
      expect(printed.includes("Update_rows_partial")).toBe(json !== "");
      expect(printed.includes("`my_row_id`")).toBe(true);
      expect(printed.match(/^### (INSERT|UPDATE|DELETE)/gm)?.length).toBeGreaterThan(80);
    }
  });

  test("transactions of every shape", async () => {
    await servers.one.root("SET GLOBAL binlog_checksum = CRC32");
    const file = await logOf(servers.one, read("shapes.sql"));
    expectSameAsPrinted(readFileSync(file), await mysqlbinlog(file));
  });

  test("settings of sessions of every kind", async () => {
    const file = await logOf(
      servers.one,
      `CREATE DATABASE IF NOT EXISTS settings CHARACTER SET latin1; USE settings;
       SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:30', lc_time_names = 'de_DE', foreign_key_checks = 0,
         unique_checks = 0, auto_increment_increment = 3, auto_increment_offset = 2, collation_database = 'latin2_czech_cs';
       SET NAMES latin1 COLLATE latin1_german1_ci; SET timestamp = 1700000000.123456;
       CREATE TABLE t (a INT PRIMARY KEY, b TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6));
       SET binlog_format = STATEMENT; INSERT INTO t (a) VALUES (1); INSERT INTO t VALUES (2, SYSDATE(6) + INTERVAL 0 SECOND); SET binlog_format = ROW;
       CREATE DEFINER = 'someone'@'somewhere' SQL SECURITY INVOKER VIEW v AS SELECT 1; CREATE USER u1 IDENTIFIED BY 'x'; DROP USER u1;
       SET explicit_defaults_for_timestamp = OFF; CREATE TABLE t2 (c TIMESTAMP); DROP TABLE t, t2`,
    );
    expectSameAsPrinted(readFileSync(file), await mysqlbinlog(file));
  });
});
