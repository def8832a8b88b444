import { expect, test } from "vitest";
import { bench } from "../../bench/proxy.bench.ts";
import { runTinyBench } from "../support/tiny-bench.ts";

test("all that the proxy bench knows has a figure beside each peer, and tables for the page of figures", async () => {
  const run = await runTinyBench(bench, { all: true });
  expect(run.exitCode, run.stderr).toBe(0);
  const loads = ["point_select", "read_only", "read_write"].flatMap((script) => [
    `${script}_text_2_clients`,
    `${script}_prepared_2_clients`,
  ]);
  const metrics = new Set(run.lines.map(({ metric, peerName }) => `${metric} ${peerName}`));
  for (const load of [...loads, "select_100_rows_text_8_clients"]) {
    expect(metrics).toContain(`${load}_qps direct`);
    for (const peer of ["haproxy", "mysql-router", "mysql-router-sharing"]) {
      expect(metrics).toContain(`${load}_p95_ms ${peer}`);
      expect(metrics).toContain(`${load}_cpu_us ${peer}`);
    }
  }
  for (const metric of [
    "point_select_text_2_clients_added_p99_us haproxy",
    "storm_logins_per_second mysql-router-sharing",
  ])
    expect(metrics).toContain(metric);
  expect(metrics).toContain("storm_tls_logins_per_second direct");
  expect(metrics).toContain("idle_session_bytes none");
  expect(run.stderr).toMatch(
    /^\| load \| the server \| HAProxy \|.*\| Switchyard \| ÷ HAProxy \| ÷ Router, sharing \|$/m,
  );
  expect(run.stderr).toMatch(/^\| with TLS \| [\d,]+ \| /m);
  expect(run.stderr).not.toMatch(/^\|.*\b(NaN|undefined)\b/m);
});
