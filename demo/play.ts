import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MysqlServer } from "../servers/mysql-server.ts";
import { APPLICATION, createApplicationAccount, createSwitchyardAccount } from "./accounts.ts";
import { Clients } from "./clients.ts";
import type { Deployment } from "./deployment.ts";
import { Display } from "./display.ts";
import { LatencyLog } from "./latency-log.ts";
import { Ledger } from "./ledger.ts";
import { readWrittenTables } from "./read-rows.ts";
import { ROWS } from "./schema.ts";
import { seed } from "./seed.ts";
import { type Findings, noFindings, readStatus, tellStory, writesOnNewHome } from "./story.ts";
import type { Summary } from "./summary.ts";
import { type Verdict, verifyLedger } from "./verify.ts";

const CLIENTS = 16;
const THINK_MS = 60;
const RECENT_STATEMENTS = 500;
const ERRORS_SHOWN_MAX = 5;
const ROWS_TOTAL = Object.values(ROWS).reduce((sum, rows) => sum + rows, 0);
const AFTERWARDS_MS = 1_000;

/** What has been set up before anything plays. */
export interface Stage {
  readonly folder: string;
  readonly oldHome: MysqlServer;
  readonly newHome: MysqlServer;
  readonly switchyard: Deployment;
}

export interface Played {
  readonly summary: Summary;
  /** Errors of clients and findings of the ledger, in words. */
  readonly notes: readonly string[];
  /** Why the story ended early, if it did. */
  readonly failure: unknown;
}

/** Starts the servers and Switchyard, lets the clients work while the shop moves, and accounts for every write. */
export async function play(stage: Stage): Promise<Played> {
  const { oldHome, newHome, switchyard } = stage;
  const latencies = new LatencyLog();
  const ledgerPath = join(stage.folder, "ledger.jsonl");
  const ledger = new Ledger(ledgerPath);
  const findings = noFindings();
  const live: { clients?: Clients; lagMs?: number } = {};
  const display = new Display(() => ({
    statements: latencies.statements,
    errors: live.clients?.errors ?? 0,
    longestWaitMs: latencies.longestOfLast(RECENT_STATEMENTS),
    lagMs: live.lagMs,
  }));
  const lag = setInterval(() => {
    if (!findings.created) return;
    readStatus(switchyard).then(
      (status) => {
        live.lagMs = status?.status?.stream?.lagMs ?? live.lagMs ?? 0;
      },
      () => undefined,
    );
  }, 500);
  try {
    await setUp(stage, display);
    const initial = await readWrittenTables(oldHome);
    const { user, password } = APPLICATION;
    const urls = switchyard.ports.map((port) => `mysql://${user}:${password}@127.0.0.1:${port}/shop`);
    const clients = new Clients({ urls, count: CLIENTS, ledger, latencies, thinkMs: THINK_MS, seed: 1 });
    live.clients = clients;
    await display.step(
      "clients",
      () => clients.start(),
      () => `${CLIENTS} connected through ${urls.length === 1 ? "Switchyard" : `${urls.length} proxies`}`,
    );
    const failure = await tellStory({ switchyard, newHome, latencies, display }, findings).then(
      () => undefined,
      (error: unknown) => error,
    );
    await sleep(AFTERWARDS_MS);
    await clients.stop();
    // Also after a failure: whatever went wrong, each acknowledged write must be on the home of its table.
    const home = failure === undefined ? newHome : await presentHome(stage);
    const verdict = await display.step(
      "ledger",
      () => verifyLedger(initial, ledgerPath, home),
      ({ rows, lost, doubled }) => `${rows.toLocaleString("en")} rows as predicted but for ${lost + doubled} writes`,
    );
    const writes = await writesOnNewHome(newHome, findings);
    const summary = summarize({ findings, clients, ledger, latencies, verdict, writes });
    const notes = [...clients.errorTexts.slice(0, ERRORS_SHOWN_MAX), ...verdict.samples];
    return { summary, notes, failure };
  } finally {
    clearInterval(lag);
    display.end();
  }
}

async function setUp({ oldHome, newHome, switchyard }: Stage, display: Display): Promise<void> {
  const start = (): Promise<unknown> => Promise.all([oldHome.start(), newHome.start()]);
  const places = (): string => `old on port ${oldHome.port}, new on port ${newHome.port}`;
  await display.step("two MySQL servers", start, places);
  const onRows = (done: number): void => display.progress({ done, total: ROWS_TOTAL, unit: "rows" });
  await display.step(
    "seed the shop",
    () => seed(oldHome, onRows),
    (rows) => `${rows.toLocaleString("en")} rows`,
  );
  const accounts = async (): Promise<void> => {
    await switchyard.configure();
    for (const server of [oldHome, newHome]) {
      await createSwitchyardAccount(server, switchyard);
      await createApplicationAccount(server);
    }
  };
  await display.step("accounts", accounts, () => "least privilege, as `check --print-grants` says");
  await display.step(
    switchyard.ports.length === 1 ? switchyard.name : "etcd and a fleet",
    () => switchyard.start(),
    () =>
      `${switchyard.ports.length === 1 ? "proxy on port" : `${switchyard.name}; ports`} ${switchyard.ports.join(", ")}`,
  );
}

/** The server that takes the shop's writes now, as the rules say. */
async function presentHome({ switchyard, oldHome, newHome }: Stage): Promise<MysqlServer> {
  const answer = await switchyard.get<{ rules?: { tables: Record<string, { to: string }> } }>("/v1/rules");
  if (answer === undefined) throw new Error(switchyard.ended ?? `${switchyard.name} does not answer any more`);
  return Object.values(answer.rules?.tables ?? {})[0]?.to === "new" ? newHome : oldHome;
}

function summarize(facts: {
  readonly findings: Findings;
  readonly clients: Clients;
  readonly ledger: Ledger;
  readonly latencies: LatencyLog;
  readonly verdict: Verdict;
  readonly writes: number;
}): Summary {
  const { findings, clients, ledger, latencies, verdict, writes } = facts;
  const { rowsCopied, rowsVerified, differences, switches, rollbacks, copySeconds, diffSeconds } = findings;
  const pause = ({ from, until }: { from: number; until: number }): number =>
    Math.round(latencies.longestBetween(from, until));
  return {
    rowsCopied,
    rowsVerified,
    differences,
    clientStatements: latencies.statements,
    clientErrors: clients.errors,
    acknowledgedWrites: ledger.counts.acknowledged,
    unknownWrites: ledger.counts.unknown,
    lostWrites: verdict.lost,
    doubledWrites: verdict.doubled,
    writesCommittedOnNewHome: writes,
    switches,
    rollbacks,
    pausesMs: findings.moments.map(pause),
    copySeconds,
    diffSeconds,
  };
}
