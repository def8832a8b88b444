import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { DiffStreamPort } from "../../../src/diff/diff-options.ts";
import { FaultyLink } from "../../support/faulty-link.ts";
import type { Pair } from "./changed-rows.ts";
import { MemoryKeeper } from "./diff-tables.ts";

/** What a diff that is stopped leaves on the servers. */
export function diffsGivenUp({ servers, make, caughtUp, diff, diffOptions, stream }: Pair): void {
  describe("a diff that is given up", () => {
    test("while it waits for the stream leaves nothing behind, and the stream goes on", async () => {
      await make("n", "id INT PRIMARY KEY", "VALUES (1)");
      const abort = new AbortController();
      const stuck = { ...stream, stopAt: () => new Promise<void>(() => setTimeout(() => abort.abort(), 50)) };
      await expect(diff({ signal: abort.signal, stream: stuck })).rejects.toMatchObject({ code: "CANCELLED" });
      await sleep(50);
      for (const server of [servers().home, servers().other]) {
        expect(await server.root("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'switchyard'")).toEqual(
          [],
        );
      }
      await caughtUp();
    });

    // 1. A diff has read rows of a table, in a transaction that keeps the table. 2. Its connections are cut; the servers do not
    // hear of it. 3. It is stopped. The servers would keep its sessions, and the table, for hours.
    test("behind a link that was cut keeps no table from a switch that comes then", async () => {
      await make("n", "id INT PRIMARY KEY", "VALUES (1)");
      const options = await diffOptions();
      const links = await Promise.all(
        [servers().home, servers().other].map(({ port }) => FaultyLink.start(() => port)),
      );
      const [home, other] = [options.home, options.other].map((end, at) => ({ ...end, port: links[at]?.port ?? 0 }));
      const abort = new AbortController();
      const keeper = new MemoryKeeper();
      keeper.keep = () => {
        for (const link of links) link.forsake();
        abort.abort();
        return Promise.reject(new Error("given up"));
      };
      const stopped = diff({ ...options, ...(home && other ? { home, other } : {}), keeper, signal: abort.signal });
      await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
      for (const server of [servers().home, servers().other]) {
        await server.root("SET SESSION lock_wait_timeout = 3; LOCK TABLES t.n WRITE; UNLOCK TABLES");
      }
      await Promise.all(links.map((link) => link.close()));
    });
  });

  // 1. The stream stands behind the home by a change of a table. 2. A diff reads the definition on the other side. 3. The
  // stream changes it there, on its way to the diff's snapshot.
  test("a table that the stream alters up to its snapshot is compared as it is by then", async () => {
    await make("first", "id INT PRIMARY KEY", "VALUES (1)");
    await make("second", "id INT PRIMARY KEY", "VALUES (1), (2)");
    let tables = 0;
    const late: DiffStreamPort = { ...stream, continue: () => (tables === 1 ? undefined : stream.continue()) };
    const report = await diff({
      stream: late,
      limits: { tablesAtOnce: 1 },
      failpoint: async (point) => {
        if (point !== "diff-before-target-snapshot" || ++tables > 1) return;
        await servers().home.root(
          "ALTER TABLE t.second ADD COLUMN v INT DEFAULT 7; INSERT INTO t.second VALUES (3, 8)",
        );
      },
    });
    expect(report.tables.map(({ rows, differences }) => [rows, differences])).toEqual([
      [1, 0],
      [3, 0],
    ]);
  });
}
