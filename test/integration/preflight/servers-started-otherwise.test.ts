import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binaryLogCheck } from "../../../src/preflight/checks/binary-log.ts";
import { charsetsCheck } from "../../../src/preflight/checks/charsets.ts";
import { gtidCheck } from "../../../src/preflight/checks/gtid.ts";
import { lowerCaseTableNamesCheck } from "../../../src/preflight/checks/lower-case-table-names.ts";
import { performanceSchemaCheck } from "../../../src/preflight/checks/performance-schema.ts";
import { runPreflight } from "../../../src/preflight/run-preflight.ts";
import type { TestServer } from "../../support/servers.ts";
import { ACCOUNT, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

// What only a restart can change: the source filters its log, the target writes none.
beforeAll(async () => {
  servers = await PreflightServers.start({
    argsOf: {
      source: ["--binlog-ignore-db=shop", "--performance-schema-session-connect-attrs-size=128"],
      target: ["--skip-log-bin", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF", "--performance-schema=OFF"],
    },
  });
  await servers.source.root("CREATE TABLE shop.orders (id INT PRIMARY KEY)");
  await giveCollation(servers.source, "utf8mb4_house_ci");
});

afterAll(async () => {
  await servers.stop();
});

/** Restarts a server with a collation that no other has, defined in its files as MySQL's manual describes. */
async function giveCollation(server: TestServer, name: string): Promise<void> {
  const [row] = await server.root("SELECT @@character_sets_dir AS folder");
  const folder = join(server.folder, "charsets");
  cpSync(row?.["folder"] ?? "", folder, { recursive: true });
  const index = join(folder, "Index.xml");
  const rules = `<collation name="${name}" id="1029"><rules><reset>a</reset><s>z</s></rules></collation>`;
  const charset = `<charset name="utf8mb4">${rules}</charset></charsets>`;
  const text = readFileSync(index, "utf8").replace("</charsets>", charset);
  writeFileSync(index, text);
  await server.restart([`--character-sets-dir=${folder}`]);
}

describe("a collation that only the source has", () => {
  test("is told by name, and one that both have is well", async () => {
    await servers.source.root(
      "CREATE TABLE shop.plain (id INT PRIMARY KEY, a TEXT COLLATE latin1_german2_ci) COLLATE utf8mb4_0900_bin; " +
        "CREATE TABLE shop.own (id INT PRIMARY KEY, a VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_house_ci)",
    );
    expect(problems(await servers.run(charsetsCheck, ["shop.plain"]))).toEqual([]);
    expect(problems(await servers.run(charsetsCheck, ["shop.own"]))).toEqual([
      "error shop.own: missing on the target: utf8mb4_house_ci",
    ]);
  });
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

  test("hides who holds a table, or whose connections are whose", async () => {
    expect(problems(await servers.run(performanceSchemaCheck))).toEqual([
      'error source "source": performance_schema_session_connect_attrs_size=128',
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
