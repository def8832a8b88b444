import type { CatchupServers } from "./bulk/backlog.ts";
import { BULK_SCHEMA, type BulkData } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import { prepareReplica, REPLICA_COMMANDS, requireAlike } from "./bulk/catchup-contenders.ts";
import { sysbenchRows } from "./bulk/sysbench-rows.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { describeSysbench, runSysbench, type SysbenchLoad } from "./frame/sysbench.ts";
import { type Follower, nativeFollower, switchyardFollower } from "./lag/followers.ts";
import { type AtRate, highestRate } from "./lag/highest-rate.ts";
import { PROBE_TABLE, watchLag } from "./lag/probe.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 50_000, seconds: 8, warmUpMs: 1500, steps: 4 },
  tiny: { tables: 2, rowsPerTable: 500, seconds: 1, warmUpMs: 100, steps: 1 },
} as const;

const CLIENTS = 8;
const P99_MS_MAX = 50;
/** A follower that is later than this at the end of a run falls behind for good. */
const SUSTAINED_P99_MS_MAX = 500;

/** What one follower reaches. */
interface Reached {
  /** Transactions a second at which it does not fall behind. */
  readonly sustained: number;
  readonly within50Ms: number;
}

/** How old a committed row is when the follower shows it, near the head, under clients that write at a known rate. */
export const bench: Bench = {
  name: "lag",
  about: "the age of a committed row when it is first seen on the other server, against a native replica",
  run: async (context) => {
    const size = SIZES[context.size];
    const sysbench = sysbenchRows(size);
    const data: BulkData = { ...sysbench, tables: [...sysbench.tables, PROBE_TABLE] };
    const servers: CatchupServers = await BulkServers.start(context, ["source", "target", "replica"], data);
    try {
      context.describe("clients", [
        describeSysbench({ ...servers.endpoint("source"), schema: BULK_SCHEMA }, size, load(size.seconds, 1000)),
        `and one that commits a row every 10 ms; the other server is asked for the newest one all the time`,
      ]);
      context.describe("native replica", REPLICA_COMMANDS.slice(0, 2));
      await Promise.all([servers.fill("source"), servers.fill("replica")]);
      await prepareReplica(servers);
      const lists = await measureBoth(context, servers);
      await requireAlike(servers);
      return lists;
    } finally {
      await servers.stop();
    }
  },
};

function load(seconds: number, rate: number): SysbenchLoad {
  return {
    script: "oltp_write_only",
    threads: CLIENTS,
    seconds,
    protocol: "text",
    more: [`--rate=${rate}`, "--mysql-ignore-errors=1213,1020,1205"],
  };
}

async function measureBoth(context: BenchContext, servers: CatchupServers): Promise<readonly Figure[]> {
  const [ours, native] = [switchyardFollower(servers), nativeFollower(servers)];
  const reached = new Map<Follower, Reached>();
  for (const follower of [ours, native]) reached.set(follower, await limitsOf(context, servers, follower));
  const sustained = Math.min(...[...reached.values()].map((of) => of.sustained));
  if (sustained === 0) throw new Error("no rate was found at which both followers keep up");
  context.say(`the pair sustains ${Math.round(sustained)} transactions a second with either follower`);
  const half = new Map<Follower, AtRate>();
  for (const follower of [ours, native]) {
    half.set(follower, await following(follower, () => run(context, servers, follower, sustained / 2)));
  }
  // What the other's clients have written since.
  for (const follower of [ours, native]) await following(follower, () => Promise.resolve());
  const figure = (metric: string, of: (follower: Follower) => number): Figure => {
    return { metric, ours: of(ours), peer: of(native), peerName: "native replica" };
  };
  return [
    figure("lag_sustained_transactions_per_second", (follower) => reached.get(follower)?.sustained ?? Number.NaN),
    figure("lag_at_half_rate_p50_ms", (follower) => half.get(follower)?.p50Ms ?? Number.NaN),
    figure("lag_at_half_rate_p99_ms", (follower) => half.get(follower)?.p99Ms ?? Number.NaN),
    figure("lag_within_50ms_transactions_per_second", (follower) => reached.get(follower)?.within50Ms ?? Number.NaN),
  ];
}

async function following<T>(follower: Follower, work: () => Promise<T>): Promise<T> {
  await follower.start();
  try {
    return await work();
  } finally {
    await follower.stop();
  }
}

async function limitsOf(context: BenchContext, servers: CatchupServers, follower: Follower): Promise<Reached> {
  const { steps } = SIZES[context.size];
  return await following(follower, async () => {
    const at = (rate: number): Promise<AtRate> => run(context, servers, follower, rate);
    const full = await at(0);
    const sustained = await highestRate({ at, p99MsMax: SUSTAINED_P99_MS_MAX, full, steps });
    const within50Ms = await highestRate({ at, p99MsMax: P99_MS_MAX, full: { ...full, perSecond: sustained }, steps });
    return { sustained, within50Ms };
  });
}

/** One run at one rate, from a follower that has caught up to one that has. */
async function run(context: BenchContext, servers: CatchupServers, follower: Follower, rate: number): Promise<AtRate> {
  const { seconds, warmUpMs, ...size } = SIZES[context.size];
  const source = servers.endpoint("source");
  const target = { host: source.host, port: source.port, user: source.user, password: source.password };
  const clients = runSysbench({ ...target, schema: BULK_SCHEMA }, size, load(seconds, Math.round(rate)));
  const [{ output }, lag] = await Promise.all([clients, watchLag(source, follower.reads, clients, warmUpMs)]);
  const perSecond = Number(/^ +transactions: +\d+ +\(([\d.]+) per sec\.\)$/m.exec(output)?.[1]);
  context.say(
    `${follower.name}: ${rate === 0 ? "as fast as they can" : `${Math.round(rate)}/s wanted`}, ${perSecond}/s committed, ` +
      `lag p50 ${lag.p50Ms.toFixed(1)}, p99 ${lag.p99Ms.toFixed(1)}, max ${lag.maxMs.toFixed(1)} ms of ${lag.probes.length} rows`,
  );
  await follower.caughtUp();
  return { perSecond, p50Ms: lag.p50Ms, p99Ms: lag.p99Ms };
}
