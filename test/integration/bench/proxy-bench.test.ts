import { expect, test } from "vitest";
import { histogramPercentile, parseSysbench, sysbenchHistogram } from "../../../bench/frame/sysbench.ts";
import { parseStorm } from "../../../bench/proxy/login-storm.ts";
import { bench } from "../../../bench/proxy.bench.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

test("the proxy bench measures ours beside the peers, with the rules naming the tables", async () => {
  const run = await runTinyBench(bench);
  expect(run.exitCode, run.stderr).toBe(0);
  const figures = run.lines.map(({ metric, peerName }) => `${metric} ${peerName}`);
  const peers = ["direct", "haproxy", "mysql-router-sharing"];
  expect(figures).toEqual([
    ...peers.flatMap((peer) => [
      `point_select_text_2_clients_qps ${peer}`,
      `point_select_text_2_clients_p95_ms ${peer}`,
    ]),
    "idle_session_bytes none",
  ]);
  expect(run.lines.filter(({ ours }) => !(ours > 0))).toEqual([]);
  expect(run.stderr).toContain("sysbench oltp_point_select --mysql-user=bench");
});

test("what sysbench prints is read line by line, and nothing is made up where a line is missing", () => {
  const printed = [
    "    queries:                             96031  (9598.60 per sec.)",
    "    ignored errors:                      3      (0.30 per sec.)",
    "    reconnects:                          1      (0.10 per sec.)",
    "         95th percentile:                        1.47",
  ];
  expect(parseSysbench(printed.join("\n"))).toMatchObject({
    queries: 96031,
    qps: 9598.6,
    p95Ms: 1.47,
    ignoredErrors: 3,
    reconnects: 1,
  });
  for (const line of printed) expect(() => parseSysbench(printed.filter((one) => one !== line).join("\n"))).toThrow();
});

test("percentiles are those of sysbench's histogram, and the time of a storm is mysqlslap's", () => {
  const printed =
    "       value  ---- count\n       0.106 |*****     60\n       0.211 |***       39\n      12.004 |          1\n";
  const histogram = sysbenchHistogram(printed);
  expect([50, 61, 99, 100].map((percent) => histogramPercentile(histogram, percent))).toEqual([
    0.106, 0.211, 0.211, 12.004,
  ]);
  expect(() => histogramPercentile(sysbenchHistogram(""), 50)).toThrow();
  expect(parseStorm(",mixed,1.355,1.355,1.355,8,100\n")).toBe(1.355);
  expect(() => parseStorm("mysqlslap: Error")).toThrow();
});
