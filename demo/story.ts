import { setTimeout as sleep } from "node:timers/promises";
import type { MysqlServer } from "../servers/mysql-server.ts";
import type { Deployment } from "./deployment.ts";
import type { Display } from "./display.ts";
import { countClientTransactions, type LogPlace, presentPlace } from "./home-writes.ts";
import type { LatencyLog } from "./latency-log.ts";
import { TABLES } from "./schema.ts";

const MIGRATION = "shop";
const LIFE_ON_NEW_HOME_SECONDS = 10;
const LIFE_BACK_HOME_SECONDS = 3;
const POLL_MS = 250;

/** What the story needs. */
export interface Scene {
  readonly switchyard: Deployment;
  readonly newHome: MysqlServer;
  readonly latencies: LatencyLog;
  readonly display: Display;
}

/** What the story found. */
export interface Findings {
  /** Whether there is a migration to ask after. */
  created: boolean;
  rowsCopied: number;
  rowsVerified: number;
  differences: number;
  switches: number;
  rollbacks: number;
  /** The time of each switch and rollback, on the clock of the latencies. */
  readonly moments: { readonly from: number; readonly until: number }[];
  copySeconds: number;
  diffSeconds: number;
  newHomeFrom: LogPlace | undefined;
}

interface Status {
  readonly migration: { readonly phase: string; readonly streams: Record<string, { readonly error?: string }> };
  readonly status?: {
    readonly stream?: {
      readonly copied: boolean;
      readonly rowsCopied: number;
      readonly rowsEstimated: number;
      readonly lagMs: number;
    };
    readonly diff?: { readonly rowsCompared?: number; readonly rowsEstimated?: number };
  };
}

export function noFindings(): Findings {
  return {
    created: false,
    rowsCopied: 0,
    rowsVerified: 0,
    differences: 0,
    switches: 0,
    rollbacks: 0,
    moments: [],
    copySeconds: 0,
    diffSeconds: 0,
    newHomeFrom: undefined,
  };
}

/**
 * Moves the shop there, back, and there again, through the commands that an operator would type. What it finds is in
 * `findings` as soon as it is known, so that a story that fails has still told what came before.
 */
export async function tellStory(scene: Scene, findings: Findings): Promise<void> {
  const { switchyard, display, newHome } = scene;
  await display.step(
    "check",
    () => switchyard.json(["check", "--tables", TABLES.join(",")]),
    () => "both servers are fit for it",
  );
  await display.step(
    "migration create",
    () => switchyard.json(createArgs()),
    () => `${TABLES.length} tables`,
  );
  findings.created = true;
  await copyAndCatchUp(scene, findings);
  await diff(scene, findings, "diff");
  findings.newHomeFrom = await presentPlace(newHome);
  await move(scene, findings, "switch");
  await live(scene, "life on the new home", LIFE_ON_NEW_HOME_SECONDS);
  await diff(scene, findings, "diff, other direction");
  await move(scene, findings, "rollback");
  await live(scene, "life back at home", LIFE_BACK_HOME_SECONDS);
  await move(scene, findings, "switch");
  await display.step(
    "complete",
    () => switchyard.json(["migration", "complete", MIGRATION]),
    () => "the way back is given up",
  );
}

function createArgs(): string[] {
  return ["migration", "create", MIGRATION, "--from", "old", "--to", "new", "--tables", TABLES.join(",")];
}

/** The live status as the admin API shows it, for bars and for the lag. */
export async function readStatus(switchyard: Deployment): Promise<Status | undefined> {
  return await switchyard.get<Status>(`/v1/migrations/${MIGRATION}`);
}

async function copyAndCatchUp({ switchyard, display }: Scene, findings: Findings): Promise<void> {
  const startedAt = performance.now();
  const wait = async (done: (status: Status) => boolean): Promise<void> => {
    for (;;) {
      const status = await readStatus(switchyard);
      const stream = status?.status?.stream;
      if (stream !== undefined) {
        findings.rowsCopied = Math.max(findings.rowsCopied, stream.rowsCopied);
        display.progress({ done: stream.rowsCopied, total: stream.rowsEstimated, unit: "rows" });
      }
      const error = Object.values(status?.migration.streams ?? {}).find((one) => one.error !== undefined)?.error;
      if (error !== undefined) throw new Error(`the stream has stopped: ${error}`);
      if (status !== undefined && done(status)) return;
      if (switchyard.ended !== undefined) throw new Error(switchyard.ended);
      await sleep(POLL_MS);
    }
  };
  const copied = (status: Status): boolean => !["created", "copying"].includes(status.migration.phase);
  await display.step(
    "copy",
    () => wait(copied),
    () => `${findings.rowsCopied.toLocaleString("en")} rows`,
  );
  findings.copySeconds = secondsSince(startedAt);
  const running = (status: Status): boolean => status.migration.phase === "running";
  await display.step(
    "catch up",
    () => wait(running),
    () => "the stream follows the old home",
  );
}

async function diff({ switchyard, display }: Scene, findings: Findings, name: string): Promise<void> {
  const startedAt = performance.now();
  const compare = async (): Promise<{ rows: number; differences: number }> => {
    const running = { value: true };
    const watch = (async () => {
      while (running.value) {
        const progress = (await readStatus(switchyard))?.status?.diff;
        if (progress !== undefined) {
          display.progress({
            done: progress.rowsCompared ?? 0,
            total: progress.rowsEstimated ?? findings.rowsCopied,
            unit: "rows",
          });
        }
        await sleep(POLL_MS);
      }
    })();
    try {
      const report = await switchyard.json(["diff", "start", MIGRATION]);
      return { rows: Number(report["rows"]), differences: Number(report["differences"]) };
    } finally {
      running.value = false;
      await watch;
    }
  };
  const { rows, differences } = await display.step(
    name,
    compare,
    (report) => `${report.rows.toLocaleString("en")} rows, ${report.differences} differences`,
  );
  findings.differences += differences;
  if (findings.rowsVerified === 0) {
    findings.rowsVerified = rows;
    findings.diffSeconds = secondsSince(startedAt);
  }
}

async function move(
  { switchyard, display, latencies }: Scene,
  findings: Findings,
  kind: "switch" | "rollback",
): Promise<void> {
  const from = performance.now();
  await display.step(
    kind,
    () => switchyard.json([kind, MIGRATION]),
    (outcome) => {
      const longest = Math.round(latencies.longestBetween(from, performance.now()));
      return `home is "${String(outcome["home"])}" now; longest wait of a client ${longest} ms`;
    },
  );
  findings.moments.push({ from, until: performance.now() });
  if (kind === "switch") findings.switches++;
  else findings.rollbacks++;
}

async function live({ display }: Scene, name: string, seconds: number): Promise<void> {
  await display.step(
    name,
    () => sleep(seconds * 1000),
    () => "clients go on",
  );
}

/** Client transactions that the new home has committed itself. */
export async function writesOnNewHome(newHome: MysqlServer, findings: Findings): Promise<number> {
  return findings.newHomeFrom === undefined ? 0 : await countClientTransactions(newHome, findings.newHomeFrom);
}

function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 100) / 10;
}
