import type { SwitchyardProcess } from "../demo/switchyard-process.ts";
import type { MysqlServer } from "../servers/mysql-server.ts";
import type { Bench, BenchContext, Figure, PeerName } from "./frame/bench.ts";
import { startBenchServers, stopBenchServers } from "./frame/bench-servers.ts";
import { endMigration, followTables, moveTables, proxyWorker, startBenchSwitchyard } from "./frame/bench-switchyard.ts";
import { interleave, type Measures } from "./frame/interleave.ts";
import { describeSysbench, prepareSysbench, runSysbench, type SysbenchLoad, sysbenchTables } from "./frame/sysbench.ts";
import { type Hop, startHaproxy, startRouter } from "./proxy/hops.ts";
import { idleSessionBytes } from "./proxy/idle-sessions.ts";
import { measureAll } from "./proxy/measure-all.ts";

const ACCOUNT = { user: "bench", password: "bench-application", schema: "bench" };
/** What Switchyard demands of its homes; point selects do not notice it. */
const DURABLE = ["--sync-binlog=1"];
/** Room for the idle sessions of `--all`. */
const CONNECTIONS_OF_ALL = ["--max-connections=5500"];
const DATA = { full: { tables: 4, rowsPerTable: 25_000 }, tiny: { tables: 2, rowsPerTable: 500 } } as const;
const SECONDS = { full: 6, tiny: 1 } as const;
const ROUNDS = 5;
const IDLE_SESSIONS = { full: 2_000, tiny: 50 } as const;
const IDLE_SESSIONS_OF_ALL = { full: 5_000, tiny: 50 } as const;
/** Between two loads, so that one's last connections are gone before the next begins. */
const REST_MS = 200;

/** One row of the comparison. */
interface Load {
  readonly name: string;
  readonly threads: number;
  readonly protocol: SysbenchLoad["protocol"];
}

export const bench: Bench = {
  name: "proxy",
  about: "sysbench point selects through one worker that routes by SQL, beside other hops; bytes of an idle session",
  run: async (context) => {
    const settings = [...DURABLE, ...(context.all ? CONNECTIONS_OF_ALL : [])];
    const servers = await startBenchServers(context, ["old", "new"], settings);
    const ends: (() => Promise<unknown>)[] = [() => stopBenchServers(servers)];
    try {
      return await measure(context, servers, ends);
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
};

async function measure(
  context: BenchContext,
  servers: { readonly old: MysqlServer; readonly new: MysqlServer },
  ends: (() => Promise<unknown>)[],
): Promise<Figure[]> {
  const data = DATA[context.size];
  const { user, password, schema } = ACCOUNT;
  for (const server of [servers.old, servers.new]) {
    await server.root(`CREATE DATABASE ${schema}; CREATE USER ${user}@'%' IDENTIFIED BY '${password}';
      GRANT ALL ON ${schema}.* TO ${user}@'%'`);
  }
  await prepareSysbench({ ...ACCOUNT, host: "127.0.0.1", port: servers.old.port }, data);
  const tables = sysbenchTables(schema, data);
  // sysbench asks for no TLS, so behind the peers nothing is encrypted; nor behind us, then.
  const switchyard = await startBenchSwitchyard(context, { servers, tables, withoutTls: true });
  ends.push(() => switchyard.stop());
  // The tables live where only the rules say, not at the default backend, so each statement is really routed.
  await followTables(switchyard, tables);
  await moveTables(switchyard, "switch");
  await endMigration(switchyard);
  const idleSessions = context.all ? IDLE_SESSIONS_OF_ALL : IDLE_SESSIONS;
  const idle = context.wants("idle_session_bytes")
    ? [await idleSessionBytes(context, { switchyard, account: ACCOUNT, sessions: idleSessions[context.size] })]
    : [];
  const loads = loadsOf(context);
  if (loads.length === 0 && !context.all) return idle;
  const hops = await startHops(context, servers, switchyard, ends);
  if (context.all) return [...(await measureAll(context, { hops, account: ACCOUNT, data })), ...idle];
  return [...(await compare(context, loads, new Map(hops.map(({ name, port }) => [name, port])))), ...idle];
}

/** Ours, the server itself and the peers, all in front of the server where the tables live. */
async function startHops(
  context: BenchContext,
  servers: { readonly new: MysqlServer },
  switchyard: SwitchyardProcess,
  ends: (() => Promise<unknown>)[],
): Promise<Hop[]> {
  const hops: Hop[] = [{ name: "direct", port: servers.new.port, pid: undefined, tls: true }];
  const haproxy = await startHaproxy(context, servers.new);
  ends.push(() => haproxy.stop());
  hops.push({ name: "haproxy", port: haproxy.port, pid: haproxy.pid, tls: true });
  for (const name of ["mysql-router-sharing", ...(context.all ? (["mysql-router"] as const) : [])] as const) {
    const router = await startRouter(context, servers.new, name);
    ends.push(() => router.stop());
    hops.push({ name, port: router.port, pid: router.pid, tls: name === "mysql-router" });
  }
  hops.push({ name: "ours", port: switchyard.port, pid: proxyWorker(switchyard), tls: true });
  return hops;
}

/** Every load through every hop, in turn; the figures of ours beside those of each other hop. */
async function compare(
  context: BenchContext,
  loads: readonly Load[],
  ports: ReadonlyMap<PeerName | "ours", number>,
): Promise<Figure[]> {
  const data = DATA[context.size];
  context.describe(
    "load",
    loads.map((load) => describeSysbench({ ...ACCOUNT, host: "", port: 0 }, data, sysbenchLoad(context, load))),
  );
  const contenders = loads.flatMap((load) =>
    [...ports].map(([hop, port]) => ({
      name: `${load.name} ${hop}`,
      measure: async (): Promise<Measures> => {
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
        const target = { ...ACCOUNT, host: "127.0.0.1", port };
        const { qps, p95Ms } = await runSysbench(target, data, sysbenchLoad(context, load));
        return { qps, p95Ms };
      },
    })),
  );
  const measured = await interleave(context, contenders, context.rounds(ROUNDS));
  const figure = (load: Load, peerName: PeerName, unit: "qps" | "p95_ms"): Figure => {
    const value = (hop: string): number => {
      const measures = measured.get(`${load.name} ${hop}`);
      return (unit === "qps" ? measures?.["qps"] : measures?.["p95Ms"]) ?? Number.NaN;
    };
    return { metric: `${load.name}_${unit}`, ours: value("ours"), peer: value(peerName), peerName };
  };
  const peers = [...ports.keys()].filter((hop) => hop !== "ours");
  return loads.flatMap((load) => peers.flatMap((peer) => [figure(load, peer, "qps"), figure(load, peer, "p95_ms")]));
}

function loadsOf(context: BenchContext): Load[] {
  const loads = (context.size === "tiny" ? [2] : [8, 32]).map(
    (threads): Load => ({ name: `point_select_text_${threads}_clients`, threads, protocol: "text" }),
  );
  return loads.filter(({ name }) => context.wants(`${name}_qps`) || context.wants(`${name}_p95_ms`));
}

function sysbenchLoad(context: BenchContext, { threads, protocol }: Load): SysbenchLoad {
  return { script: "oltp_point_select", threads, protocol, seconds: SECONDS[context.size] };
}
