import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCheck } from "../../support/run-check.ts";
import type { CommandResult, ServeProcess } from "../../support/serve-process.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { TestSystem } from "../../support/system.ts";
import { MAPPING, makeMapped, movesThroughMapping, requestFile } from "./moves-through-a-mapping.ts";

/** What an error looks like to a script. */
function errorOf(result: CommandResult): { readonly code: string; readonly message: string } {
  const error = result.json["error"] as { readonly code: string; readonly message: string } | undefined;
  return error ?? { code: "none", message: result.stdout + result.stderr };
}

let system: TestSystem;
let serve: ServeProcess;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  serve = await system.serve();
}, 60_000);
afterAll(async () => {
  await serve?.stop();
  await system?.stop();
});

describe("a migration that cannot begin", () => {
  const create = (id: string, tables: string): Promise<CommandResult> =>
    serve.run("migration", "create", id, "--from", "old", "--to", "new", "--tables", tables);
  /** Nothing may be left of a migration that was refused: no journal, no claim, nothing on the target. */
  const expectNothing = async (id: string): Promise<void> => {
    expect((await serve.run("migration", "status", id)).exit).toBe(3);
    const made = await system.new.root(
      "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'ledger'",
    );
    expect(made).toEqual([]);
    expect((await serve.run("rules", "show")).stdout).not.toContain(id);
  };

  test("names the table of another engine, and what to do about it", async () => {
    await system.old.root("CREATE TABLE ledger.engine (a INT PRIMARY KEY) ENGINE = MyISAM");
    const result = await create("engine", "ledger.entry,ledger.engine");
    expect(result.exit).toBe(3);
    expect(errorOf(result)).toMatchObject({ code: "PREFLIGHT_REFUSED" });
    expect(errorOf(result).message).toMatch(/ledger\.engine[\s\S]*ENGINE=InnoDB/i);
    await expectNothing("engine");
  });

  test("prints the GRANT that is missing", async () => {
    await system.old.root("CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY)");
    const result = await create("grants", "other.t");
    expect(result.exit).toBe(3);
    expect(errorOf(result).message).toMatch(/GRANT [\s\S]* ON `other`/);
    await expectNothing("grants");
  });

  test("names the table that does not exist", async () => {
    const result = await create("absent", "ledger.entry,ledger.no_such_table");
    expect(result.exit).toBe(3);
    expect(errorOf(result).message).toContain("ledger.no_such_table");
    await expectNothing("absent");
  });

  test.each([
    [
      "a name with capitals",
      ["migration", "create", "Orders", "--from", "old", "--to", "new", "--tables", "ledger.entry"],
    ],
    [
      "a backend that is not configured",
      ["migration", "create", "m", "--from", "old", "--to", "elsewhere", "--tables", "ledger.entry"],
    ],
    [
      "the same server at both ends",
      ["migration", "create", "m", "--from", "old", "--to", "old", "--tables", "ledger.entry"],
    ],
    ["a table without a schema", ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", "entry"]],
    ["the server's own tables", ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", "mysql.user"]],
  ] as const)("%s is a usage error", async (_why, args) => {
    const result = await serve.run(...args);
    expect(result.exit, result.stdout + result.stderr).toBe(2);
    expect(errorOf(result).code).not.toBe("none");
  });

  test("a second migration on the same table is refused and names the first", async () => {
    const first = await serve.run(
      "migration",
      "create",
      "first",
      "--from",
      "old",
      "--to",
      "new",
      "--tables",
      "ledger.counter",
      "--wait",
    );
    expect(first, first.stdout + first.stderr).toMatchObject({ exit: 0 });
    const second = await create("second", "ledger.entry,ledger.counter");
    expect(second.exit).toBe(3);
    expect(errorOf(second)).toMatchObject({ code: "MIGRATION_TABLE_CLAIMED" });
    expect(errorOf(second).message).toContain('"first"');
    const again = await create("first", "ledger.entry");
    expect(errorOf(again)).toMatchObject({ code: "MIGRATION_EXISTS" });
    const cancelled = await serve.run("migration", "cancel", "first");
    expect(cancelled, cancelled.stdout + cancelled.stderr).toMatchObject({ exit: 0 });
    await expectNothingOf("first");
    // Its claim is gone with it.
    const third = await serve.run(
      "migration",
      "create",
      "third",
      "--from",
      "old",
      "--to",
      "new",
      "--tables",
      "ledger.counter",
      "--wait",
    );
    expect(third, third.stdout + third.stderr).toMatchObject({ exit: 0 });
    expect((await serve.run("migration", "cancel", "third")).exit).toBe(0);
  });

  const expectNothingOf = async (id: string): Promise<void> => {
    expect((await serve.run("migration", "status", id)).stdout).toContain("cancelled");
    const made = await system.new.root(
      "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'ledger'",
    );
    expect(made).toEqual([]);
  };

  test("an order on a migration that does not exist is refused by name", async () => {
    for (const command of [
      ["switch", "nobody"],
      ["rollback", "nobody"],
      ["diff", "start", "nobody"],
      ["migration", "pause", "nobody"],
    ]) {
      const result = await serve.run(...command);
      expect(result.exit, command.join(" ")).toBe(3);
      expect(errorOf(result).message).toContain('"nobody"');
    }
  });
});

describe("a migration to tables with other columns", () => {
  beforeAll(() => makeMapped(system));

  const refused = async (name: string, mapping: object): Promise<string> => {
    const result = await serve.run("migration", "create", name, "-f", requestFile(system, name, mapping));
    expect(result.exit, result.stdout + result.stderr).not.toBe(0);
    expect((await serve.run("migration", "status", name)).exit).toBe(3);
    return result.stdout + result.stderr;
  };

  test("is refused where values may not fit on the way back, and nobody has said that this may be", async () => {
    expect(await refused("narrow", MAPPING)).toMatch(/PREFLIGHT_REFUSED[\s\S]*ti: numbers outside of -128 to 127/);
  });

  test("carries every value there and back, leaves alone what one side alone has, and stops at what does not fit", async () => {
    await movesThroughMapping(system, serve);
  }, 120_000);
});

describe("a source without GTIDs", () => {
  let servers: { plain: TestServer; target: TestServer };
  beforeAll(async () => {
    servers = await startServers(["plain", "target"], {
      argsOf: { plain: ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"] },
    });
  }, 60_000);
  afterAll(() => stopServers(servers));

  test("is refused by check, with the statements that turn them on", async () => {
    await servers.plain.root("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)");
    const result = await runCheck(servers.plain, servers.target, "shop.t");
    expect(result.exit).toBe(3);
    expect(result.stdout).toMatch(/gtid/i);
    expect(result.stdout).toMatch(/GTID_MODE|gtid_mode/);
  });
});
