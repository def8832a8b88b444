import { setTimeout as sleep } from "node:timers/promises";
import type { BenchContext, Figure, PeerName } from "../frame/bench.ts";
import { interleave, type Measures } from "../frame/interleave.ts";
import { cpuSeconds } from "../frame/process-cpu.ts";
import { histogramPercentile, runSysbench, type SysbenchData, sysbenchHistogram } from "../frame/sysbench.ts";
import { type ProxyLoad, proxyLoads } from "./all-loads.ts";
import { allTables } from "./all-tables.ts";
import type { Hop } from "./hops.ts";
import { STORM_CLIENTS, stormArgs, stormName, stormPerSecond } from "./login-storm.ts";

export interface AllOptions {
  readonly hops: readonly Hop[];
  readonly account: { readonly user: string; readonly password: string; readonly schema: string };
  readonly data: SysbenchData;
}

/** What was measured, by `LOAD HOP`. */
export type Measured = ReadonlyMap<string, Measures>;

const STORM = { full: 1600, tiny: 16 } as const;
/** With TLS the clients take most of the time. */
const STORM_TLS = { full: 240, tiny: 16 } as const;
/** So that one load's last connections are gone before the next begins. */
const REST_MS = 150;
const US = 1e6;

/** Every load through every hop, and storms of logins; says the tables, and gives the figures of ours beside the others'. */
export async function measureAll(context: BenchContext, options: AllOptions): Promise<Figure[]> {
  const loads = proxyLoads(context.size).filter(({ name }) => unitsOf(name).some((metric) => context.wants(metric)));
  const measured = new Map<string, Measures>();
  for (const rounds of new Set(loads.map((load) => load.rounds))) {
    const some = loads.filter((load) => load.rounds === rounds);
    const contenders = some.flatMap((load) =>
      options.hops.map((hop) => ({
        name: `${load.name} ${hop.name}`,
        measure: () => measureLoad(load, hop, options),
      })),
    );
    for (const [name, measures] of await interleave(context, contenders, context.rounds(rounds))) {
      measured.set(name, measures);
    }
  }
  const storms = await measureStorms(context, options);
  for (const [name, measures] of storms) measured.set(name, measures);
  context.say(`\n${allTables(loads, options.hops, measured)}\n`);
  return [...loads.flatMap((load) => figuresOf(load, options.hops, measured)), ...stormFigures(options.hops, measured)];
}

async function measureLoad(load: ProxyLoad, hop: Hop, { account, data }: AllOptions): Promise<Measures> {
  await sleep(REST_MS);
  const before = hop.pid === undefined ? 0 : cpuSeconds(hop.pid);
  const target = { ...account, host: "127.0.0.1", port: hop.port };
  const { qps, p95Ms, queries, output } = await runSysbench(target, data, load.sysbench);
  const cpuUs = hop.pid === undefined ? 0 : ((cpuSeconds(hop.pid) - before) / queries) * US;
  const histogram = sysbenchHistogram(output);
  return {
    qps,
    p95Ms,
    p50Ms: histogramPercentile(histogram, 50),
    p99Ms: histogramPercentile(histogram, 99),
    cpuUs,
  };
}

async function measureStorms(context: BenchContext, { hops, account }: AllOptions): Promise<Measured> {
  const measured = new Map<string, Measures>();
  for (const tls of [false, true]) {
    const name = stormName(tls);
    if (!context.wants(`${name}_logins_per_second`)) continue;
    const connections = (tls ? STORM_TLS : STORM)[context.size];
    context.describe(name, [`mysqlslap ${stormArgs({ ...account, port: 0 }, connections, tls).join(" ")}`]);
    for (const hop of hops.filter((one) => one.tls || !tls)) {
      await sleep(REST_MS);
      // What a server or hop learns of an account once is not part of the storm.
      await stormPerSecond({ ...account, port: hop.port }, STORM_CLIENTS, tls);
      const before = hop.pid === undefined ? 0 : cpuSeconds(hop.pid);
      const perSecond = await stormPerSecond({ ...account, port: hop.port }, connections, tls);
      const cpuUs = hop.pid === undefined ? 0 : ((cpuSeconds(hop.pid) - before) / connections) * US;
      measured.set(`${name} ${hop.name}`, { perSecond, cpuUs });
      context.say(`${name} ${hop.name}: ${perSecond.toFixed(0)} logins a second`);
    }
  }
  return measured;
}

function unitsOf(name: string): readonly string[] {
  return ["qps", "p95_ms", "cpu_us", "added_p50_us", "added_p99_us"].map((unit) => `${name}_${unit}`);
}

function figuresOf(load: ProxyLoad, hops: readonly Hop[], measured: Measured): Figure[] {
  const of = (hop: PeerName | "ours", key: string): number => measured.get(`${load.name} ${hop}`)?.[key] ?? Number.NaN;
  const added = (hop: PeerName | "ours", key: string): number => (of(hop, key) - of("direct", key)) * 1000;
  return peersOf(hops).flatMap((peerName): Figure[] => {
    const figure = (unit: string, value: (hop: PeerName | "ours") => number): Figure => ({
      metric: `${load.name}_${unit}`,
      ours: value("ours"),
      peer: value(peerName),
      peerName,
    });
    const same = [figure("qps", (hop) => of(hop, "qps")), figure("p95_ms", (hop) => of(hop, "p95Ms"))];
    if (peerName === "direct") return same;
    const latency = load.single
      ? [figure("added_p50_us", (hop) => added(hop, "p50Ms")), figure("added_p99_us", (hop) => added(hop, "p99Ms"))]
      : [];
    return [...same, figure("cpu_us", (hop) => of(hop, "cpuUs")), ...latency];
  });
}

function stormFigures(hops: readonly Hop[], measured: Measured): Figure[] {
  return [false, true].flatMap((tls) => {
    const name = stormName(tls);
    const ours = measured.get(`${name} ours`)?.["perSecond"];
    if (ours === undefined) return [];
    return peersOf(hops).flatMap((peerName): Figure[] => {
      const peer = measured.get(`${name} ${peerName}`)?.["perSecond"];
      return peer === undefined ? [] : [{ metric: `${name}_logins_per_second`, ours, peer, peerName }];
    });
  });
}

function peersOf(hops: readonly Hop[]): PeerName[] {
  return hops.flatMap(({ name }) => (name === "ours" ? [] : [name]));
}
