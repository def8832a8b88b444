import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import { failpointEnvironment, type ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const WRITERS = 8;

/** Waits until the migration has settled in one of `phases`, with no attempt under way. */
async function settled(serve: ServeProcess, phases: readonly string[]): Promise<string> {
  for (let tries = 0; tries < 150; tries += 1) {
    const { json } = await serve.run("migration", "status", "m");
    const document = (json["migration"] ?? json) as { readonly phase?: string; readonly attempt?: unknown };
    if (document.phase !== undefined && document.attempt === undefined && phases.includes(document.phase))
      return document.phase;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the migration did not settle in ${phases.join(" or ")}:\n${serve.log.slice(-5000)}`);
}

async function create(serve: ServeProcess): Promise<void> {
  const created = await serve.run(
    "migration",
    "create",
    "m",
    "--from",
    "old",
    "--to",
    "new",
    "--tables",
    LEDGER_TABLES,
    "--wait",
  );
  expect(created, created.stdout + created.stderr).toMatchObject({ exit: 0 });
}

async function diff(serve: ServeProcess): Promise<void> {
  const compared = await serve.run("diff", "start", "m");
  expect(compared, compared.stdout + compared.stderr).toMatchObject({ exit: 0 });
}

describe("a controller that is killed with SIGKILL", () => {
  let system: TestSystem;
  let serve: ServeProcess | undefined;
  beforeAll(async () => {
    system = await TestSystem.start();
  }, 60_000);
  afterAll(async () => {
    await serve?.stop();
    await system?.stop();
  });
  beforeEach(async () => {
    await serve?.stop();
    await system.resetTables();
  });

  const begin = async (point: Failpoint): Promise<{ serve: ServeProcess; writers: LedgerWriters }> => {
    serve = await system.serve({ env: failpointEnvironment(point) });
    const writers = new LedgerWriters(system.appUrl(serve), WRITERS);
    await writers.start();
    return { serve, writers };
  };
  const finish = async (running: ServeProcess, writers: LedgerWriters, home: "old" | "new"): Promise<void> => {
    await diff(running);
    await writers.stop();
    expect(writers.told.errors).toEqual([]);
    expect(writers.told.unknown).toBe(0);
    expect(writers.told.acknowledged).toBeGreaterThan(100);
    expect(await writers.check(system[home])).toEqual([]);
    await running.stop();
  };

  test.each<readonly [Failpoint, string]>([
    ["copy-after-chunk-commit", "during the copy"],
    ["catch-up-before-commit", "during catch-up"],
  ])(
    "at %s (%s) goes on where the rows are, and loses none",
    async (point) => {
      const rows = "WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 20000)";
      await system.old.root(
        `SET SESSION cte_max_recursion_depth = 100000; INSERT INTO ledger.entry (client, sequence, note) ${rows} SELECT -1, n, 'seed' FROM n`,
      );
      const { serve: running, writers } = await begin(point);
      running.armFailpoint();
      await create(running);
      expect(running.log).toContain("SIGKILL");
      await finish(running, writers, "old");
      const [count] = await system.new.root("SELECT COUNT(*) AS n FROM ledger.entry WHERE client = -1");
      expect(count?.["n"]).toBe("20000");
    },
    90_000,
  );

  test.each([
    ["switch-after-hold", "between hold and fence", "running", "old"],
    ["switch-before-swap", "just before the switch", "running", "old"],
    ["switch-after-swap", "just after the switch", "switched", "new"],
  ] as const)(
    "at %s (%s) leaves the migration %s and every write on %s",
    async (point, _when, phase, home) => {
      const { serve: running, writers } = await begin(point);
      await create(running);
      await diff(running);
      running.armFailpoint();
      const result = await running.run("switch", "m");
      expect(await settled(running, ["running", "switched"])).toBe(phase);
      expect(result.exit).toBe(phase === "switched" ? 0 : 4);
      expect(running.log).toContain("SIGKILL");
      await finish(running, writers, home);
    },
    90_000,
  );
});
