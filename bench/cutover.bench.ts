import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { CommandFailed, type SwitchyardProcess } from "../demo/switchyard-process.ts";
import type { MysqlServer } from "../servers/mysql-server.ts";
import { OPEN_LOOP_SCHEMA, OpenLoop } from "./cutover/open-loop.ts";
import { type LoggedMove, lastMove, PAUSE_STEPS, pauseOf } from "./cutover/pauses.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { startBenchServers, stopBenchServers } from "./frame/bench-servers.ts";
import { followTables, forecastMove, moveTables, startBenchSwitchyard } from "./frame/bench-switchyard.ts";
import { median, percentile } from "./frame/figures.ts";

const ACCOUNT = { user: "bench", password: "bench-application", schema: "bench" };
const TABLES = ["bench.entry", "bench.counter"];
const CLIENTS = { full: 64, tiny: 4 } as const;
const STATEMENTS_PER_SECOND = { full: 2_000, tiny: 100 } as const;
/** Switches and rollbacks together. */
const MOVES_MAX = { full: 200, tiny: 2 } as const;
const MOVES_MIN = { full: 20, tiny: 2 } as const;
/** What is left for checking and ending. */
const RESERVE_MS = 30_000;
const REST_MS = 250;
/** Before each so-manyth move Switchyard is asked what it expects. */
const FORECAST_EVERY = 10;
const TRIES_MAX = 20;
const REFUSED = 3;
const ABORTED = 4;

interface Move extends LoggedMove {
  readonly fromMs: number;
  readonly untilMs: number;
  /** What Switchyard has expected right before. */
  readonly expected?: { readonly typicalMs: number; readonly slowestMs: number };
}

export const bench: Bench = {
  name: "cutover",
  about: "the pause of one switch under an open loop of clients; every write accounted for",
  run: async (context) => {
    // What Switchyard demands of its homes.
    const servers = await startBenchServers(context, ["old", "new"], ["--sync-binlog=1"]);
    let switchyard: SwitchyardProcess | undefined;
    try {
      for (const server of [servers.old, servers.new]) {
        await server.root(`CREATE DATABASE bench; CREATE USER bench@'%' IDENTIFIED BY '${ACCOUNT.password}';
          GRANT ALL ON bench.* TO bench@'%'`);
      }
      await servers.old.root(`USE bench; ${OPEN_LOOP_SCHEMA.join("; ")}`);
      switchyard = await startBenchSwitchyard(context, { servers, tables: TABLES, logLevel: "debug" });
      await followTables(switchyard, TABLES);
      return await measure(context, servers, switchyard);
    } finally {
      await switchyard?.stop();
      await stopBenchServers(servers);
    }
  },
};

async function measure(
  context: BenchContext,
  servers: { readonly old: MysqlServer; readonly new: MysqlServer },
  switchyard: SwitchyardProcess,
): Promise<Figure[]> {
  const { size } = context;
  const rate = STATEMENTS_PER_SECOND[size];
  const load = { clients: CLIENTS[size], statementsPerSecond: rate };
  context.describe("load", [
    `${load.clients} clients, ${rate} statements/s in all, at fixed times, 30 % of them write`,
  ]);
  const loop = new OpenLoop({ port: switchyard.port, account: ACCOUNT, ...load });
  const moves: Move[] = [];
  await loop.start();
  try {
    await sleep(size === "tiny" ? 200 : 3_000);
    const wanted = context.rounds(MOVES_MAX[size]);
    const most = size === "tiny" ? MOVES_MAX.tiny : wanted;
    while (moves.length < most) {
      if (moves.length >= MOVES_MIN[size] && context.timeLeftMs() < RESERVE_MS) break;
      const kind = moves.length % 2 === 0 ? "switch" : "rollback";
      const asked = moves.length % FORECAST_EVERY === 0;
      const expected = asked ? await forecastOf(context, switchyard, kind) : undefined;
      if (asked) await sleep(REST_MS);
      const move = await oneMove(context, switchyard, kind);
      moves.push(expected === undefined ? move : { ...move, expected });
      await sleep(REST_MS);
    }
  } finally {
    await loop.stop();
  }
  const home = moves.length % 2 === 1 ? servers.new : servers.old;
  const { rows, lost, doubled } = await loop.check(home);
  describeMoves(context, moves, loop, rows);
  for (const error of loop.errors.slice(0, 5)) context.say(error);
  const pauses = moves.map(pauseOf);
  const alone = (metric: string, ours: number): Figure => ({ metric, ours, peer: null, peerName: "none" });
  return [
    alone("switch_pause_p50_ms", percentile(pauses, 50)),
    alone("switch_pause_p99_ms", percentile(pauses, 99)),
    alone("switch_pause_max_ms", percentile(pauses, 100)),
    alone("switch_errors", loop.errors.length),
    alone("switch_lost_rows", lost),
    alone("switch_doubled_rows", doubled),
    alone("switch_moves_count", moves.length),
    alone("baseline_p99_ms", percentile(baseline(moves, loop), 99)),
    alone("client_wait_p50_ms", median(moves.map((move) => longestOf(move, loop)))),
  ];
}

/** A dry run whose gate would refuse at the moment says nothing of the pause. */
async function forecastOf(
  context: BenchContext,
  switchyard: SwitchyardProcess,
  kind: "switch" | "rollback",
): Promise<Move["expected"]> {
  try {
    return await forecastMove(switchyard, kind);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    context.say(`no forecast of a ${kind}: ${error.message}`);
    return undefined;
  }
}

/** A move that was refused or aborted has changed nothing, and is tried again; what clients saw of it counts. */
async function oneMove(
  context: BenchContext,
  switchyard: SwitchyardProcess,
  kind: "switch" | "rollback",
): Promise<Move> {
  for (let tries = 1; ; tries += 1) {
    const from = statSync(switchyard.logFile).size;
    const fromMs = performance.now();
    try {
      await moveTables(switchyard, kind);
    } catch (error) {
      const mayRepeat = error instanceof CommandFailed && [REFUSED, ABORTED].includes(error.exitCode);
      if (!mayRepeat || tries >= TRIES_MAX) throw error;
      context.say(`${kind} again: ${error.message}`);
      await sleep(REST_MS);
      continue;
    }
    const logged = lastMove(switchyard.logFile, from);
    if (logged === undefined) throw new Error(`the proxy has not logged the hold of a ${kind}`);
    return { ...logged, fromMs, untilMs: performance.now() };
  }
}

function describeMoves(context: BenchContext, moves: readonly Move[], loop: OpenLoop, rows: number): void {
  const line = (name: string, values: readonly number[]): string =>
    [name.padEnd(30), ...[50, 90, 99].map((rank) => percentile(values, rank).toFixed(1).padStart(8))].join("");
  const step = (name: string): number[] => moves.map(({ steps }) => steps.get(name) ?? 0);
  context.describe(`${moves.length} switches and rollbacks, milliseconds`, [
    ["".padEnd(30), ...["p50", "p90", "p99"].map((name) => name.padStart(8))].join(""),
    line(
      "longest wait in the proxy",
      moves.map(({ longestWaitMs }) => longestWaitMs),
    ),
    line(
      "  of it, transactions open",
      moves.map(({ transactionsOpenMs }) => transactionsOpenMs),
    ),
    line("pause", moves.map(pauseOf)),
    ...PAUSE_STEPS.map((name) => line(`  step ${name}`, step(name))),
    line(
      "longest wait of a client",
      moves.map((move) => longestOf(move, loop)),
    ),
    line("statements without a move", baseline(moves, loop)),
    ...forecastLines(moves),
    `${loop.latencies.length} statements, ${rows} acknowledged inserts looked up, ${loop.errors.length} errors`,
  ]);
}

/** How what was expected compares with what came. */
function forecastLines(moves: readonly Move[]): readonly string[] {
  const asked = moves.flatMap((move) => (move.expected === undefined ? [] : [{ ...move.expected, ms: pauseOf(move) }]));
  if (asked.length === 0) return [];
  const expected = percentile(
    asked.map(({ typicalMs }) => typicalMs),
    50,
  );
  const ratio = percentile(
    asked.map(({ ms, typicalMs }) => ms / typicalMs),
    50,
  );
  const within = asked.filter(({ ms, slowestMs }) => ms <= slowestMs).length;
  return [
    `predicted for ${asked.length} of them: ${expected.toFixed(1)} in the median; the pause was ${ratio.toFixed(2)} times that, and within the range ${within} times`,
  ];
}

/** The longest time of a statement that was due during the move, from when it was due. */
function longestOf(move: Move, loop: OpenLoop): number {
  const during = loop.latencies.filter(({ dueMs }) => dueMs >= move.fromMs && dueMs <= move.untilMs);
  return Math.max(0, ...during.map(({ tookMs }) => tookMs));
}

function baseline(moves: readonly Move[], loop: OpenLoop): number[] {
  const quiet = loop.latencies.filter(
    ({ dueMs }) => !moves.some(({ fromMs, untilMs }) => dueMs >= fromMs - REST_MS && dueMs <= untilMs),
  );
  return quiet.length === 0 ? [Number.NaN] : quiet.map(({ tookMs }) => tookMs);
}
