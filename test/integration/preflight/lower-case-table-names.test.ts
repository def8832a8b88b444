import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MysqlServer } from "../../../servers/mysql-server.ts";
import { providePrograms } from "../../../servers/programs.ts";
import { runCommand } from "../../../servers/run-command.ts";
import { makeRunFolder } from "../../../servers/run-folder.ts";
import { openAdmin } from "../../../src/mysql/admin-connection.ts";
import { lowerCaseTableNamesCheck } from "../../../src/preflight/checks/lower-case-table-names.ts";
import { ServerView } from "../../../src/preflight/server-view.ts";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { seed, startHarness } from "../proxy/proxy-harness.ts";
import { problems } from "./preflight-servers.ts";

const LOWER = "--lower-case-table-names=1";
let plain: TestServer;
let lower: MysqlServer;

// The setting is fixed when a data directory is initialised, so this server has one of its own.
beforeAll(async () => {
  ({ plain } = await startServers(["plain"]));
  const programs = await providePrograms(() => undefined);
  const folder = join(makeRunFolder(), "lower");
  lower = new MysqlServer(programs, { name: "lower", folder, serverId: 4711, args: [LOWER] });
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  const args = [...programs.mysqld.args, ...user, "--initialize-insecure", `--datadir=${lower.datadir}`, LOWER];
  await runCommand("mkdir", ["-p", folder]);
  await runCommand(programs.mysqld.command, args);
  await lower.start();
  await lower.root("CREATE USER 'check'@'%' IDENTIFIED BY 'c'");
  await plain.root("CREATE USER 'check'@'%' IDENTIFIED BY 'c'");
});

afterAll(async () => {
  await lower.kill9();
  rmSync(lower.folder, { recursive: true, force: true });
  await stopServers({ plain });
});

test("servers that compare names of tables differently are refused", async () => {
  const source = await openAdmin(plain.endpoint("check", "c"));
  const target = await openAdmin(lower.endpoint("check", "c"));
  const context = {
    source: new ServerView("source", plain.endpoint("check", "c"), source),
    target: new ServerView("target", lower.endpoint("check", "c"), target),
    tables: [],
    targetTables: "absent" as const,
  };
  expect(problems(await lowerCaseTableNamesCheck.run(context))).toEqual([
    'error target "lower": lower_case_table_names=1',
  ]);
  await source.close();
  await target.close();
});

test("where the servers compare names without regard to case, so does the proxy", async () => {
  const servers = { old: lower as TestServer, new: plain };
  await seed(servers);
  const harness = await startHarness(servers);
  await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
  await harness.told((told) => told.generation === 2, "generation 2");
  for (const server of Object.values(servers)) await server.root("SET GLOBAL log_output = 'TABLE', general_log = ON");
  const client = await harness.connect();
  const texts = ["SELECT * FROM ORDERS", "SELECT * FROM `Shop`.`Orders`", "SELECT * FROM Other"];
  for (const sql of texts) await client.query(sql).catch(() => undefined);
  for (const sql of texts) await client.execute(sql).catch(() => undefined);
  await expect(client.query("SELECT * FROM Orders JOIN OTHER USING (id)")).rejects.toMatchObject({ errno: 1235 });
  const logged = async (server: TestServer): Promise<Set<unknown>> =>
    new Set(
      (
        await server.root(
          "SELECT CAST(argument AS CHAR) AS text FROM mysql.general_log WHERE argument LIKE 'SELECT * FROM%'",
        )
      ).map(({ text }) => text),
    );
  expect(await logged(plain), "which itself knows no table of that name").toEqual(new Set(texts.slice(0, 2)));
  expect(await logged(lower)).toEqual(new Set(texts.slice(2)));
  client.destroy();
  await harness.close();
});
