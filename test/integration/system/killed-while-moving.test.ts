import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { LEDGER_TABLES } from "../../support/ledger-writers.ts";
import { KilledController } from "./killed-controller.ts";

const CASE_TIMEOUT_MS = 150_000;
const SEEDED_ROWS = 8000;
const POLL = { timeout: 60_000, interval: 200 };

/** What `migration create` goes through, in that order: one process is killed at each point. */
const CREATING: readonly Failpoint[] = [
  "create-before-claims",
  "create-after-claims",
  "stream-after-claim",
  "copy-after-snapshot",
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "copy-before-keys",
  "copy-after-keys",
];

/** What the stream goes through with each change, whichever way it runs. */
const FOLLOWING: readonly Failpoint[] = ["catch-up-before-commit", "catch-up-after-commit", "stream-after-claim"];

/** One is killed before anything has been compared, the next once a table has been, which the third does not read again. */
const COMPARING: readonly Failpoint[] = ["diff-before-target-snapshot", "diff-after-range-kept"];

/** Before the journal says what has been compared again: the next one does it from the sets of before. */
const REFRESHING: Failpoint = "refresh-before-journal";

interface Diffs {
  readonly diffs: readonly { readonly verifiedTime: string; readonly differences: number }[];
  readonly report: { readonly finishedAt: string; readonly samples: readonly { readonly key: string }[] };
}

/** And with each definition that it carries on: before it, and between it and its record. */
const ALTERING: readonly Failpoint[] = ["ddl-before-statement", "ddl-after-statement"];

const COMPLETING: readonly Failpoint[] = [
  "complete-after-streams-stopped",
  "complete-after-journal",
  "complete-after-old-tables",
  "complete-before-claims-released",
];

/** The clients go on. */
const nothing = (): Promise<void> => Promise.resolve();

const CANCELLING: readonly Failpoint[] = [
  "cancel-after-journal",
  "cancel-after-streams-stopped",
  "cancel-after-tables-dropped",
  "cancel-before-claims-released",
];

/** Clients write through the proxy without pause, and are not to notice anything of what is killed. */
describe("a controller that is killed while rows move", () => {
  let killed: KilledController;
  beforeAll(async () => {
    killed = await KilledController.start();
    await seedRows(killed);
    await killed.begin();
  }, 120_000);
  afterAll(() => killed?.stop(), 60_000);

  const diffsOf = async () => (await killed.serve.get("/v1/migrations/m/diff")) as unknown as Diffs;
  const freshSince = (time: string) =>
    expect.poll(async () => ((await diffsOf()).diffs[0]?.verifiedTime ?? "") > time, POLL).toBe(true);

  const create = (id: string) =>
    killed.serve.run("migration", "create", id, "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");

  test(
    "is created once and copied whole, though eight controllers are killed on the way",
    async () => {
      const result = await killed.killing("moving", CREATING, () => create("m"));
      // The first was killed before anything was written: then the order is carried out anew by the next.
      expect(result.exit, result.stdout + result.stderr + killed.serve.log.slice(-3000)).toBe(0);
      expect(await killed.settled("m", "running")).toBe("running");
      await killed.nothingIsLost("old");
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "follows what the clients write, across kills between data and position",
    async () => {
      await killed.succeeds("migration", "tune", "m", "--on-ddl", "apply");
      await killed.killing("moving", FOLLOWING, nothing);
      await killed.killing("moving", ALTERING, () =>
        killed.system.old.root("ALTER TABLE ledger.entry ADD COLUMN extra INT NOT NULL DEFAULT 7 FIRST"),
      );
      await killed.succeeds("diff", "start", "m");
      const [count] = await killed.system.new.root("SELECT COUNT(*) AS n FROM ledger.entry WHERE client = -1");
      expect(count?.["n"]).toBe(String(SEEDED_ROWS));
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "takes a diff up again, behind what had been compared",
    async () => {
      await killed.killing("moving", [...COMPARING, REFRESHING], () => killed.succeeds("diff", "start", "m"));
      const { report } = await killed.serve.get("/v1/migrations/m/diff");
      const { tables } = report as {
        readonly tables: readonly { readonly rows: number; readonly rowsBefore?: number }[];
      };
      expect(
        tables.some(({ rows, rowsBefore }) => rowsBefore === rows),
        JSON.stringify(tables),
      ).toBe(true);
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "stops a diff when it is told to, and goes on behind what that had compared",
    async () => {
      killed.serve.armWait("diff-after-range-kept");
      await killed.succeeds("diff", "start", "m", "--no-wait");
      await expect.poll(() => killed.serve.waitsAtFailpoint, POLL).toBe(true);
      const stopping = killed.serve.run("diff", "stop", "m");
      await expect.poll(() => /"command":"diff-stop".*order taken/.test(killed.serve.log), POLL).toBe(true);
      killed.serve.letGo();
      expect(await stopping).toMatchObject({ exit: 0 });
      const { exit, stdout } = await killed.serve.run("diff", "resume", "m");
      expect(exit, stdout + killed.serve.log.slice(-3000)).toBe(0);
      const { tables } = JSON.parse(stdout) as { readonly tables: readonly { readonly rowsBefore?: number }[] };
      expect(
        tables.some(({ rowsBefore = 0 }) => rowsBefore > 0),
        stdout,
      ).toBe(true);
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "compares again what is changed after a diff, finds what a stray writer did, and has it repaired",
    async () => {
      expect((await killed.serve.run("diff", "stop", "m")).json).toMatchObject({ error: { code: "DIFF_NOT_RUNNING" } });
      await freshSince((await diffsOf()).report.finishedAt);
      await killed.system.new.root("UPDATE ledger.entry SET note = 'stray' WHERE client = -1 ORDER BY id LIMIT 1");
      await expect.poll(async () => (await diffsOf()).diffs[0]?.differences, POLL).toBe(1);
      expect((await diffsOf()).report.samples).toMatchObject([{ target: { note: "stray" } }]);
      expect((await killed.serve.run("switch", "m", "--dry-run")).stdout).toContain("found 1 differences");
      await killed.succeeds("diff", "repair", "m");
      await killed.succeeds("diff", "start", "m");
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "follows the new home back to the old one, across the same kills",
    async () => {
      await killed.moves("switch", "m");
      // The other way round, from the sets of before the switch.
      await freshSince(new Date().toISOString());
      await killed.killing("flowing back", FOLLOWING, nothing);
      await killed.killing("flowing back", ALTERING, () =>
        killed.system.new.root("ALTER TABLE ledger.entry DROP COLUMN extra, ADD COLUMN other INT NOT NULL DEFAULT 8"),
      );
      await killed.killing("flowing back", COMPARING, () => killed.succeeds("diff", "start", "m"));
      await killed.nothingIsLost("new");
      await killed.moves("rollback", "m");
      await killed.nothingIsLost("old");
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "cancels to the end, and frees the tables for another migration",
    async () => {
      await killed.killing("moving", CANCELLING, () => killed.succeeds("migration", "cancel", "m"));
      expect(await killed.settled("m", "cancelled")).toBe("cancelled");
      const left = await killed.system.new.root("SELECT schema_name FROM information_schema.schemata");
      expect(left.map((row) => row["SCHEMA_NAME"])).not.toContain("ledger");
      await killed.nothingIsLost("old");
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "completes to the end, with the old tables gone and every write at the new home",
    async () => {
      await killed.create("second");
      await killed.succeeds("diff", "start", "second");
      await killed.moves("switch", "second");
      await killed.settled("second", "switched");
      await killed.killing("moving", COMPLETING, () =>
        killed.succeeds("migration", "complete", "second", "--old-tables", "drop"),
      );
      expect(await killed.settled("second", "completed")).toBe("completed");
      const left = await killed.system.old.root(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'ledger'",
      );
      expect(left).toEqual([]);
      await killed.finalCheck("new");
    },
    CASE_TIMEOUT_MS,
  );

  test("no failpoint was left out", () => {
    killed.everyFailpointWasReached("moving");
    killed.everyFailpointWasReached("flowing back");
  });
});

/** Rows enough for a copy of several chunks. */
async function seedRows({ system }: KilledController): Promise<void> {
  const rows = `WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < ${SEEDED_ROWS})`;
  await system.old.root(
    "SET SESSION cte_max_recursion_depth = 100000; INSERT INTO ledger.entry (client, sequence, note) " +
      `${rows} SELECT -1, n, 'seed' FROM n`,
  );
}
