import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { charsetClass, collationClass } from "../../../src/sql/charset-class.ts";
import type { SqlModes } from "../../../src/sql/statement.ts";
import { fc } from "../../support/seeded-properties.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { mutatedSql, SEEDS } from "../../support/sql-mutations.ts";
import { SqlOracle } from "../../support/sql-oracle.ts";

const PLAIN: SqlModes = { ansiQuotes: false, noBackslashEscapes: false };

let server: TestServer;
let versions: SqlModes["serverVersions"] & object;

beforeAll(async () => {
  ({ server } = await startServers(["server"]));
  const [row] = await server.root("SELECT VERSION() AS version");
  const [major = 0, minor = 0, patch = 0] = (row?.["version"] ?? "").split(/[.-]/).map(Number);
  const version = major * 10_000 + minor * 100 + patch;
  versions = { oldest: version, newest: version };
});

afterAll(async () => {
  await stopServers({ server });
});

describe("the tables that a server locks for a statement", () => {
  test.each(SEEDS)("are named by the reader: %s", async (sql) => {
    const oracle = await SqlOracle.open(server, { ...PLAIN, serverVersions: versions });
    const verdict = await oracle.ask(sql);
    await oracle.close();
    expect(verdict).toMatchObject({ missed: [] });
    // One seed is not executable as it stands; it is there for what becomes of it.
    if (sql.includes("table_")) return;
    expect(verdict).toMatchObject({ accepted: true, extra: [], everything: /\bf\(1\)/.test(sql) });
  });

  test.each<readonly [SqlModes, string]>([
    [PLAIN, "plain"],
    [{ ansiQuotes: true, noBackslashEscapes: false }, "ANSI_QUOTES"],
    [{ ansiQuotes: false, noBackslashEscapes: true }, "NO_BACKSLASH_ESCAPES"],
  ])("are named by the reader, however the statement was changed (%j)", async (modes) => {
    const oracle = await SqlOracle.open(server, { ...modes, serverVersions: versions });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(mutatedSql, async (sql) => {
        const verdict = await oracle.ask(sql);
        if (verdict.accepted) accepted++;
        expect(verdict).toMatchObject({ missed: [] });
      }),
      { numRuns: 1500 },
    );
    await oracle.close();
    // The test says something only as long as a good part of the statements can be executed.
    expect(accepted).toBeGreaterThan(100);
  });
});

test("a character set is held for the same by its name and by the number of each of its collations", async () => {
  const rows = await server.root("SELECT id AS id, character_set_name AS name FROM information_schema.collations");
  const classes = (of: (row: (typeof rows)[number]) => string): string[] =>
    rows.map((row) => `${row["id"]} ${of(row)}`);
  expect(classes((row) => collationClass(Number(row["id"])))).toEqual(
    classes(({ name }) => (name === "ascii" ? "other" : charsetClass(name ?? ""))),
  );
  expect(rows.filter(({ name }) => charsetClass(name ?? "") === "unsafe").length).toBe(11);
});
