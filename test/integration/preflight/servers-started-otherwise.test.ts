import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binaryLogCheck } from "../../../src/preflight/checks/binary-log.ts";
import { gtidCheck } from "../../../src/preflight/checks/gtid.ts";
import { lowerCaseTableNamesCheck } from "../../../src/preflight/checks/lower-case-table-names.ts";
import { performanceSchemaCheck } from "../../../src/preflight/checks/performance-schema.ts";
import { runPreflight } from "../../../src/preflight/run-preflight.ts";
import { ACCOUNT, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

// What only a restart can change: the source filters its log, the target writes none.
beforeAll(async () => {
  servers = await PreflightServers.start({
    argsOf: {
      source: ["--binlog-ignore-db=shop"],
      target: ["--skip-log-bin", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF", "--performance-schema=OFF"],
    },
  });
  await servers.source.root("CREATE TABLE shop.orders (id INT PRIMARY KEY)");
});

afterAll(async () => {
  await servers.stop();
});

describe("a server that was started without what is needed", () => {
  test("has no GTIDs", async () => {
    expect(problems(await servers.run(gtidCheck))).toEqual([
      'error target "target": gtid_mode=OFF, enforce_gtid_consistency=OFF',
    ]);
  });

  test("has no binary log, or filters it", async () => {
    expect(problems(await servers.run(binaryLogCheck))).toEqual([
      'error source "source": filters leave out shop',
      'error target "target": log_bin=OFF',
    ]);
  });

  test("hides who holds a table", async () => {
    expect(problems(await servers.run(performanceSchemaCheck))).toEqual([
      'error target "target": performance_schema=OFF',
    ]);
  });

  test("does not hide its other problems behind the first", async () => {
    const findings = await runPreflight({
      source: { endpoint: servers.source.endpoint(ACCOUNT.user, ACCOUNT.password) },
      target: { endpoint: servers.target.endpoint(ACCOUNT.user, ACCOUNT.password) },
      tables: [{ schema: "shop", table: "orders" }],
    });
    const ids = new Set(findings.filter(({ severity }) => severity === "error").map(({ id }) => id));
    expect([...ids].sort()).toEqual(expect.arrayContaining(["binary-log", "gtid", "performance-schema"]));
    expect(ids).not.toContain("primary-key");
  });

  test("reads names of tables as the source does", async () => {
    expect(problems(await servers.run(lowerCaseTableNamesCheck))).toEqual([]);
  });
});
