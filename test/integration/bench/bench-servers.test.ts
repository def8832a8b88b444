import { expect, test } from "vitest";
import type { Bench } from "../../../bench/frame/bench.ts";
import { startBenchServers, stopBenchServers } from "../../../bench/frame/bench-servers.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

test("the servers of a bench have the settings that it prints", async () => {
  const bench: Bench = {
    name: "sample",
    about: "one server",
    run: async (context) => {
      const servers = await startBenchServers(context, ["only"], ["--innodb-flush-log-at-trx-commit=1"]);
      try {
        const [row] = await servers.only.root(
          "SELECT @@innodb_flush_log_at_trx_commit AS flush_log, @@sync_binlog AS sync_log, @@log_bin AS logged, @@innodb_buffer_pool_size AS pool",
        );
        context.say(JSON.stringify(row));
      } finally {
        await stopBenchServers(servers);
      }
      return [{ metric: "servers_count", ours: 1, peer: null, peerName: "none" }];
    },
  };
  const run = await runTinyBench(bench);
  expect(run.stderr).toMatch(/mysqld +\d+\.\d+/);
  expect(run.stderr).toContain("--innodb-flush-log-at-trx-commit=2 --sync-binlog=0");
  // What is given for one bench wins over what all have.
  expect(run.stderr).toContain('{"flush_log":"1","sync_log":"0","logged":"1","pool":"536870912"}');
  expect(run.exitCode).toBe(0);
});
