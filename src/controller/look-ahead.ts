import { forecastPause, type Measured, measuredOf, type PauseForecast } from "../cutover/pause-forecast.ts";
import type { LockHolder, SwitchEnds } from "../cutover/ports.ts";
import { Connection } from "../mysql/connection.ts";
import { proveStream } from "../replication/canary.ts";
import { BEAT_MAX, writeBeat } from "../replication/heartbeat.ts";
import type { BlockedSession } from "../rules/proxy-document.ts";
import { ORDERS_PREFIX, RULES_KEY, SESSIONS_PREFIX } from "../rules/store-keys.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";

/** A session with something that it could not take along, as its proxy has reported it lately. */
export type PinnedSession = BlockedSession & { readonly proxy: string };

/** What a switch would meet now, besides what its gate says. */
export interface LookAhead {
  /** Sessions that would stay where they are: those that use the tables stand in a switch's way. */
  readonly pinned: readonly PinnedSession[];
  /** How long the longest transaction that has the tables has been open. Its end is waited for besides {@link pause}. */
  readonly longestOpenMs: number;
  readonly pause: PauseForecast;
}

const TRIES = 7;
const ARRIVALS = 2;
const ARRIVAL_TIMEOUT_MS = 10_000;
/** No order has this name: deleting it changes nothing, and takes a store as long as a change does, but for writing to disk. */
const NO_ORDER = `${ORDERS_PREFIX}none`;

/** As much as is used here of what a proxy worker reports. */
interface Report {
  readonly proxy?: string;
  readonly latency?: { readonly statements?: number; readonly overMs?: number };
  readonly sessions?: readonly ReportedSession[];
}

interface ReportedSession {
  readonly id: string;
  readonly user: string;
  readonly host: string;
  readonly program?: string;
  readonly ties?: readonly { kind: string; at?: string; reason: string; statement?: string; forMs?: number }[];
}

/** Measures what a switch would work with. Changes nothing but rows of the sidecar. */
export async function lookAhead(runner: MigrationRunner, ends: SwitchEnds): Promise<LookAhead> {
  const { context, document } = runner;
  const { store } = context;
  const storeRead = await timed(() => store.get(RULES_KEY));
  const storeWrite = await timed(() => store.transact([], [{ delete: NO_ORDER }]));
  const old = await openHome(context, document, ends.oldHome).inspect(async (view) => ({
    trip: await timed(() => view.executed()),
    holders: await view.holders(),
  }));
  const { trip, commit } = await onNewHome(context, ends);
  const reports = (await store.list(SESSIONS_PREFIX)).entries.map(({ value }) => JSON.parse(value) as Report);
  const rate = statementsPerSecond(reports);
  return {
    pinned: reports.flatMap((report) => pinnedOf(report, ends.newHome)),
    longestOpenMs: longestOpenMs(old.holders),
    pause: forecastPause({
      ...{ storeRead, storeWrite, oldHome: old.trip, newHome: trip, commit },
      arrival: await arrivals(context, ends),
      ...(rate === undefined ? {} : { statementsPerSecond: rate }),
    }),
  };
}

/** The beat of the stream that would lead back: nobody waits for it while that stream does not run. */
async function onNewHome(
  context: ControllerContext,
  ends: SwitchEnds,
): Promise<{ readonly trip: Measured; readonly commit: Measured }> {
  const connection = await Connection.connect(endpointOf(context, ends.newHome));
  const name = { migration: ends.migration, direction: ends.returning };
  try {
    const trip = await timed(() => connection.query("SELECT @@GLOBAL.gtid_executed"));
    const commit = await timed(() => writeBeat(connection, name, 1 + Math.floor(Math.random() * (BEAT_MAX - 1))));
    return { trip, commit };
  } finally {
    await connection.close();
  }
}

async function arrivals(context: ControllerContext, ends: SwitchEnds): Promise<Measured> {
  const tries: number[] = [];
  while (tries.length < ARRIVALS) {
    tries.push(
      await proveStream({
        name: { migration: ends.migration, direction: ends.returning },
        source: endpointOf(context, ends.newHome),
        target: endpointOf(context, ends.oldHome),
        timeoutMs: ARRIVAL_TIMEOUT_MS,
      }),
    );
  }
  return measuredOf(tries);
}

async function timed(work: () => Promise<unknown>): Promise<Measured> {
  const tries: number[] = [];
  while (tries.length < TRIES) {
    const began = performance.now();
    await work();
    tries.push(performance.now() - began);
  }
  return measuredOf(tries);
}

/** Of all proxies, or of none: a part of them would make the sum too small. */
function statementsPerSecond(reports: readonly Report[]): number | undefined {
  let sum = 0;
  for (const { latency } of reports) {
    if (latency?.statements === undefined || latency.overMs === undefined || latency.overMs <= 0) return undefined;
    sum += (latency.statements * 1000) / latency.overMs;
  }
  return reports.length === 0 ? undefined : sum;
}

function pinnedOf({ proxy = "", sessions = [] }: Report, newHome: string): readonly PinnedSession[] {
  return sessions.flatMap(({ id, user, host, program, ties = [] }) =>
    ties
      .filter(({ kind, at }) => kind === "pinned" && at !== newHome)
      .slice(0, 1)
      .map(({ reason, statement, forMs }) => ({
        ...{ proxy, session: id, user, address: host, reason },
        ...(program === undefined ? {} : { program }),
        ...(statement === undefined ? {} : { statement }),
        ...(forMs === undefined ? {} : { forMs }),
      })),
  );
}

function longestOpenMs(holders: readonly LockHolder[]): number {
  return Math.max(0, ...holders.filter(({ idle }) => idle).map(({ seconds }) => seconds * 1000));
}
