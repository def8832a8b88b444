import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../../src/preflight/check.ts";
import { autoIncrementCheck } from "../../../src/preflight/checks/auto-increment.ts";
import { binaryLogCheck } from "../../../src/preflight/checks/binary-log.ts";
import { binlogRetentionCheck } from "../../../src/preflight/checks/binlog-retention.ts";
import { clockSkewCheck } from "../../../src/preflight/checks/clock-skew.ts";
import { gtidCheck } from "../../../src/preflight/checks/gtid.ts";
import { localInfileCheck } from "../../../src/preflight/checks/local-infile.ts";
import { maxAllowedPacketCheck } from "../../../src/preflight/checks/max-allowed-packet.ts";
import { performanceSchemaCheck } from "../../../src/preflight/checks/performance-schema.ts";
import { preparedXaCheck } from "../../../src/preflight/checks/prepared-xa.ts";
import { serverIdentityCheck } from "../../../src/preflight/checks/server-identity.ts";
import { serverVersionCheck } from "../../../src/preflight/checks/server-version.ts";
import { sessionDefaultsCheck } from "../../../src/preflight/checks/session-defaults.ts";
import { sidecarCheck } from "../../../src/preflight/checks/sidecar.ts";
import { timeZoneCheck } from "../../../src/preflight/checks/time-zone.ts";
import { triggerPrivilegeCheck } from "../../../src/preflight/checks/trigger-privilege.ts";
import { writableCheck } from "../../../src/preflight/checks/writable.ts";
import { fixes, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

beforeAll(async () => {
  servers = await PreflightServers.start();
  await servers.source.root("CREATE TABLE shop.orders (id INT PRIMARY KEY)");
});

afterAll(async () => {
  await servers.stop();
});

interface Case {
  readonly check: Check;
  readonly on: "source" | "target";
  /** What an administrator might have set. */
  readonly set: string;
  /** How it is set back. */
  readonly back: string;
  readonly severity: "error" | "warning";
  readonly observed: string;
}

const error = (check: Check, on: "source" | "target", set: string, back: string, observed: string): Case => ({
  check,
  on,
  set,
  back,
  observed,
  severity: "error",
});
const warning = (...args: Parameters<typeof error>): Case => ({ ...error(...args), severity: "warning" });
const global = (name: string, value: string, back: string): [string, string] => [
  `SET GLOBAL ${name}=${value}`,
  `SET GLOBAL ${name}=${back}`,
];

const CASES: readonly Case[] = [
  error(gtidCheck, "target", ...global("gtid_mode", "ON_PERMISSIVE", "ON"), "gtid_mode=ON_PERMISSIVE"),
  error(gtidCheck, "source", ...global("gtid_mode", "ON_PERMISSIVE", "ON"), "gtid_mode=ON_PERMISSIVE"),
  error(binaryLogCheck, "source", ...global("binlog_row_image", "'MINIMAL'", "'FULL'"), "binlog_row_image=MINIMAL"),
  error(binaryLogCheck, "target", ...global("binlog_row_image", "'NOBLOB'", "'FULL'"), "binlog_row_image=NOBLOB"),
  error(binaryLogCheck, "source", ...global("binlog_format", "'STATEMENT'", "'ROW'"), "binlog_format=STATEMENT"),
  error(binlogRetentionCheck, "source", ...global("sync_binlog", "0", "1"), "sync_binlog=0"),
  error(
    binlogRetentionCheck,
    "source",
    ...global("binlog_expire_logs_seconds", "600", "2592000"),
    "purged after 600 s",
  ),
  warning(
    binlogRetentionCheck,
    "target",
    ...global("binlog_expire_logs_seconds", "20000", "2592000"),
    "purged after 20000 s",
  ),
  error(writableCheck, "target", ...global("read_only", "ON", "OFF"), "read_only is ON"),
  error(
    writableCheck,
    "target",
    "SET GLOBAL super_read_only=ON",
    "SET GLOBAL read_only=OFF",
    "read_only and super_read_only are ON",
  ),
  error(sessionDefaultsCheck, "target", ...global("sql_mode", "'NO_ENGINE_SUBSTITUTION'", "DEFAULT"), "sql_mode="),
  error(
    sessionDefaultsCheck,
    "target",
    ...global("transaction_isolation", "'READ-COMMITTED'", "DEFAULT"),
    "transaction_isolation='READ-COMMITTED'",
  ),
  warning(sessionDefaultsCheck, "source", ...global("group_concat_max_len", "4096", "DEFAULT"), "group_concat_max_len"),
  error(timeZoneCheck, "target", ...global("time_zone", "'+05:30'", "DEFAULT"), "sessions begin in +05:30"),
  error(maxAllowedPacketCheck, "target", ...global("max_allowed_packet", "33554432", "DEFAULT"), "=33554432"),
  error(maxAllowedPacketCheck, "source", ...global("max_allowed_packet", "1048576", "DEFAULT"), "=1048576"),
  error(localInfileCheck, "target", ...global("local_infile", "OFF", "ON"), "local_infile=OFF"),
  error(autoIncrementCheck, "target", ...global("auto_increment_increment", "2", "1"), "auto_increment_increment=2"),
  error(autoIncrementCheck, "source", ...global("auto_increment_offset", "3", "1"), "auto_increment_offset=1"),
  error(
    performanceSchemaCheck,
    "source",
    "UPDATE performance_schema.setup_instruments SET ENABLED='NO' WHERE NAME='wait/lock/metadata/sql/mdl'",
    "UPDATE performance_schema.setup_instruments SET ENABLED='YES' WHERE NAME='wait/lock/metadata/sql/mdl'",
    "wait/lock/metadata/sql/mdl disabled",
  ),
  error(
    performanceSchemaCheck,
    "target",
    "UPDATE performance_schema.setup_consumers SET ENABLED='NO' WHERE NAME='events_transactions_current'",
    "UPDATE performance_schema.setup_consumers SET ENABLED='YES' WHERE NAME='events_transactions_current'",
    "events_transactions_current disabled",
  ),
  error(
    triggerPrivilegeCheck,
    "source",
    ...global("log_bin_trust_function_creators", "OFF", "ON"),
    "SUPER privilege and binary logging is enabled",
  ),
  error(
    preparedXaCheck,
    "source",
    "XA START 'left over'; INSERT INTO shop.orders VALUES (77); XA END 'left over'; XA PREPARE 'left over'",
    "XA ROLLBACK 'left over'",
    "prepared: 0x",
  ),
  error(
    sidecarCheck,
    "target",
    "CREATE TABLE _switchyard.ledger (a INT) COMMENT='switchyard format 9'",
    "DROP TABLE _switchyard.ledger",
    "_switchyard.ledger is of format 9",
  ),
  error(
    sidecarCheck,
    "source",
    "CREATE TABLE _switchyard.orders (a INT)",
    "DROP TABLE _switchyard.orders",
    "_switchyard.orders is not a table of Switchyard",
  ),
];

describe("a setting that would lose rows or change what clients see", () => {
  test.each(CASES.map((one) => [one.check.id, one.on, one.set, one] as const))(
    "%s finds it on the %s: %s",
    async (id, on, _set, { check, set, back, severity, observed }) => {
      expect(problems(await servers.run(check))).toEqual([]);
      await servers[on].root(set);
      try {
        const findings = (await servers.run(check)).filter((finding) => finding.severity !== "ok");
        expect(findings.map((finding) => finding.id)).toContain(id);
        expect(findings.map((finding) => finding.severity)).toContain(severity);
        expect(problems(findings).join("\n")).toContain(observed);
        for (const finding of findings) expect(finding.fix).not.toBe("");
      } finally {
        await servers[on].root(back);
      }
      expect(problems(await servers.run(check))).toEqual([]);
    },
  );
});

describe("a fix that is printed", () => {
  test.each([
    ["binlog_row_image", "'MINIMAL'", binaryLogCheck],
    ["sync_binlog", "0", binlogRetentionCheck],
    ["binlog_expire_logs_seconds", "60", binlogRetentionCheck],
    ["auto_increment_increment", "7", autoIncrementCheck],
    ["read_only", "ON", writableCheck],
    ["sql_mode", "''", sessionDefaultsCheck],
  ])("mends %s=%s when it is run as it stands", async (name, value, check) => {
    await servers.target.root(`SET GLOBAL ${name}=${value}`);
    const statements = fixes(await servers.run(check)).match(/SET PERSIST [^;]*;/g) ?? [];
    expect(statements).not.toEqual([]);
    for (const statement of statements) await servers.target.root(statement);
    expect(problems(await servers.run(check))).toEqual([]);
    await servers.target.root(`RESET PERSIST ${name}`);
  });
});

describe("time zones by name", () => {
  test("must be known to the target where the source knows them", async () => {
    const zone = "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (9000, 'N'); ";
    await servers.source.root(
      `${zone}INSERT INTO mysql.time_zone_name VALUES ('Europe/Berlin', 9000); ` +
        "INSERT INTO mysql.time_zone_transition_type VALUES (9000, 0, 3600, 0, 'CET'); " +
        "INSERT INTO mysql.time_zone_transition VALUES (9000, -2147483648, 0)",
    );
    try {
      expect(problems(await servers.run(timeZoneCheck)).join("\n")).toContain("knows no time zone by name");
    } finally {
      await servers.source.root(
        "DELETE FROM mysql.time_zone; DELETE FROM mysql.time_zone_name; " +
          "DELETE FROM mysql.time_zone_transition; DELETE FROM mysql.time_zone_transition_type",
      );
    }
  });
});

describe("clocks", () => {
  test("of one machine agree", async () => {
    expect(problems(await servers.run(clockSkewCheck))).toEqual([]);
  });

  test("that differ are told", async () => {
    // The session's own clock stands for the server's: nobody may turn the machine's.
    const context = await servers.context(["shop.orders"]);
    await context.target.rows("SET timestamp = UNIX_TIMESTAMP() - 3600");
    expect(problems(await clockSkewCheck.run(context)).join("\n")).toMatch(/warning both servers: 36\d{5} ms apart/);
    await servers.close();
  });
});

describe("two servers", () => {
  test("of the same release, apart from each other, are well", async () => {
    expect(problems(await servers.run(serverIdentityCheck))).toEqual([]);
    expect(problems(await servers.run(serverVersionCheck))).toEqual([]);
  });

  test("that are one server are refused", async () => {
    const context = await servers.context(["shop.orders"]);
    const same = { ...context, target: context.source };
    expect(problems(await serverIdentityCheck.run(same)).join("\n")).toContain("error both servers: server_uuid");
    await servers.close();
  });

  test("with the same server_id are refused", async () => {
    const [row] = await servers.source.root("SELECT @@server_id AS id");
    const [own] = await servers.target.root("SELECT @@server_id AS id");
    await servers.target.root(`SET GLOBAL server_id=${row?.["id"]}`);
    expect(problems(await servers.run(serverIdentityCheck)).join("\n")).toContain("server_id");
    await servers.target.root(`SET GLOBAL server_id=${own?.["id"]}`);
  });

  test("of which one replicates from the other are refused, in either direction", async () => {
    for (const [from, to] of [
      [servers.source, servers.target],
      [servers.target, servers.source],
    ] as const) {
      await from.root("CREATE USER repl@'%' IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl@'%'");
      await to.root(
        `CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=${from.port}, SOURCE_USER='repl', ` +
          "SOURCE_PASSWORD='r', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA IO_THREAD",
      );
      try {
        await expect
          .poll(async () => problems(await servers.run(serverIdentityCheck)).join("\n"), { timeout: 20_000 })
          .toContain("replicates from");
      } finally {
        await to.root("STOP REPLICA; RESET REPLICA ALL");
        await from.root("DROP USER repl@'%'");
      }
      expect(problems(await servers.run(serverIdentityCheck))).toEqual([]);
    }
  });
});
