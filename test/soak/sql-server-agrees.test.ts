import { afterAll, beforeAll, expect, test } from "vitest";
import { fc } from "../support/seeded-properties.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";
import { mutatedSql } from "../support/sql-mutations.ts";
import { SqlOracle } from "../support/sql-oracle.ts";

const MINUTES = Number(process.env["SOAK_MINUTES"] ?? "1");

let server: TestServer;

beforeAll(async () => {
  ({ server } = await startServers(["server"]));
});

afterAll(async () => {
  await stopServers({ server });
});

test("no statement near to a valid one locks a table that the reader has not named", {
  timeout: (MINUTES + 1) * 60_000,
}, async () => {
  const [row] = await server.root("SELECT VERSION() AS version");
  const [major = 0, minor = 0, patch = 0] = (row?.["version"] ?? "").split(/[.-]/).map(Number);
  const version = major * 10_000 + minor * 100 + patch;
  const modes = { ansiQuotes: false, noBackslashEscapes: false, serverVersions: { oldest: version, newest: version } };
  const oracle = await SqlOracle.open(server, modes);
  const seed = Math.floor(Math.random() * 2 ** 31);
  let asked = 0;
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(mutatedSql, async (sql) => {
      const verdict = await oracle.ask(sql);
      asked++;
      if (verdict.accepted && verdict.locked.length > 0) accepted++;
      expect(verdict, `seed ${seed}`).toMatchObject({ missed: [] });
    }),
    { seed, numRuns: 10_000_000, interruptAfterTimeLimit: MINUTES * 60_000 },
  );
  await oracle.close();
  process.stderr.write(`seed ${seed}: ${asked} statements, ${accepted} of them used tables\n`);
  expect(accepted).toBeGreaterThan(asked / 50);
});
