import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Command } from "../../../servers/programs.ts";
import { providePromtool } from "../../../servers/promtool-program.ts";
import { METRICS } from "../../../src/metrics/catalogue.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const DOWNLOAD_MS = 600_000;
const RULES = resolve(import.meta.dirname, "../../../packaging/prometheus/alerts.yaml");

/** Metrics of which this serve has no sample, and why. */
const ABSENT: Readonly<Record<string, string>> = {
  store_connected: "said of an etcd alone, and this store is embedded",
  store_stale_seconds: "said of an etcd alone, and this store is embedded",
  throttle_over: "said while rows are copied or compared, and none are when this is scraped",
  throttle_share: "the same",
  throttle_signal: "the same",
};

let promtool: Command;

beforeAll(async () => {
  promtool = await providePromtool((line) => void process.stderr.write(`${line}\n`));
}, DOWNLOAD_MS);

/** Runs promtool with a text for its standard input, and gives how it ended and all that it said. */
async function check(args: readonly string[], input = ""): Promise<{ readonly code: number; readonly said: string }> {
  const child = spawn(promtool.command, [...promtool.args, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number>((ended) => child.on("close", (exit) => ended(exit ?? -1)));
  return { code, said };
}

describe("the metrics of a serve in the middle of a migration", () => {
  let system: TestSystem;
  let serve: ServeProcess;
  let scraped = "";

  beforeAll(async () => {
    system = await TestSystem.start();
    await system.resetTables();
    await system.old.root("CREATE TABLE ledger.stays (id INT PRIMARY KEY)");
    serve = await system.serve();
    const writers = new LedgerWriters(system.appUrl(serve), 4);
    await writers.start();
    const order = async (...args: readonly string[]): Promise<void> => {
      const ended = await serve.run(...args);
      if (ended.exit !== 0) throw new Error(`${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
    };
    await order("migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
    await order("diff", "start", "m");
    await order("switch", "m");
    // Tables on two homes in one statement: the proxy itself refuses that.
    const client = await mysql.createConnection(system.appUrl(serve));
    await client.query("SELECT * FROM ledger.entry JOIN ledger.stays").catch(() => undefined);
    // A hint of somebody who may not give any is counted, and a comment.
    await client.query("/* switchyard:route=old */ SELECT * FROM ledger.stays");
    await client.end();
    // The proxy counts the client's end a moment after the client; the way back knows its lag with its first heartbeat; what
    // has changed since the diff is compared again from time to time.
    const late = [
      "switchyard_disconnects_total{",
      "switchyard_binlog_runway_seconds{",
      "switchyard_diff_keys_refreshed_total{",
    ];
    for (let tries = 0; tries < 200 && !late.every((name) => scraped.includes(name)); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      scraped = await (await fetch(`http://127.0.0.1:${serve.adminPort}/metrics`)).text();
    }
    await writers.stop();
  }, 120_000);
  afterAll(async () => {
    await serve?.stop();
    await system?.stop();
  });

  test("pass promtool check metrics without a word", async () => {
    expect(await check(["check", "metrics"], scraped)).toEqual({ code: 0, said: "" });
  });

  test("are all there, each with a sample of just its labels", () => {
    const samples = scraped.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const missing = Object.entries(METRICS).filter(([name, { type, labels }]) => {
      const wanted = [...labels].sort().join(",");
      const whole = `switchyard_${name}${type === "histogram" ? "_count" : ""}`;
      return !samples.some((line) => {
        const [, metric, text = ""] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
        const found = [...text.matchAll(/(\w+)="/g)].map(([, label]) => label).sort();
        return metric === whole && found.join(",") === wanted;
      });
    });
    expect(missing.map(([name]) => name).sort()).toEqual(Object.keys(ABSENT));
  });

  test("are none but those of the catalogue", () => {
    const told = [...scraped.matchAll(/^# TYPE switchyard_(\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const there = Object.entries(METRICS).filter(([name]) => ABSENT[name] === undefined);
    const known = there.map(([name, { type }]) => `${name} ${type}`);
    expect(told.sort()).toEqual(known.sort());
  });
});

describe("the alert rules", () => {
  test("pass promtool check rules", async () => {
    const { code, said } = await check(["check", "rules", "--lint=all", "--lint-fatal", RULES]);
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
    expect(code).toBe(0);
  });

  test("ask for metrics and labels that exist: a misspelt one would never fire", () => {
    const text = readFileSync(join(RULES), "utf8");
    const metrics: Readonly<Record<string, { readonly labels: readonly string[] }>> = METRICS;
    const asked = [...text.matchAll(/expr: (.*)/g)].flatMap(([, expression = ""]) =>
      [...expression.matchAll(/switchyard_(\w+)(?:\{(\w+)=)?/g)].map(([, name = "", label]) => ({ name, label })),
    );
    const unknown = asked.filter(
      ({ name, label }) =>
        metrics[name] === undefined || (label !== undefined && !metrics[name].labels.includes(label)),
    );
    expect(asked.length).toBeGreaterThan(5);
    expect(unknown).toEqual([]);
  });
});
