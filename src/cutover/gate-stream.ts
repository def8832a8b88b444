import type { GateContext } from "./gate.ts";
import type { DiffSummary } from "./migration-document.ts";
import { newestDiff } from "./newest-diff.ts";
import type { GateFinding, StreamHealth } from "./ports.ts";
import { maySoonBeNear, startedHealth } from "./stream-starts.ts";

/** The stream that feeds the new home runs, is near, and found its rows as expected. One that is soon so is waited for. */
export async function streamFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const { ports, ends, limits } = context;
  const health = await startedHealth(ports, ends.feeding, (now) => maySoonBeNear(now, limits.switchMaxLagMs));
  return [
    {
      id: "stream-running",
      ok: health.state === "running",
      title: `the ${ends.feeding} stream runs`,
      observed: describeHealth(health),
      expected: "running",
      fix: "`switchyard migration resume` starts a paused or failed stream.",
    },
    {
      id: "stream-lag",
      ok: health.lagMs <= limits.switchMaxLagMs,
      title: `the ${ends.feeding} stream is near`,
      observed: `${Math.round(health.lagMs)} ms behind${describeWait(health)}`,
      expected: `at most ${limits.switchMaxLagMs} ms`,
      fix: "Wait until `switchyard migration status` shows less, or allow more with switchMaxLagMs.",
    },
    {
      id: "drift",
      ok: health.drift === 0 && health.ddl === 0,
      title: "rows and tables are as the stream expects them",
      observed: `${health.drift} rows were not, and ${health.ddl} DDL statements came, since the newest clean diff`,
      expected: "none",
      fix: "Run `switchyard diff start`; a clean result clears this.",
      forceable: true,
    },
  ];
}

function describeHealth({ state, error, paused }: StreamHealth): string {
  if (paused !== undefined) return `paused by ${paused.by}: ${paused.reason}`;
  return error === undefined ? state : `${state}: ${error}`;
}

function describeWait({ retrying, waiting }: StreamHealth): string {
  if (retrying !== undefined) return `; it tries again after ${retrying}`;
  return waiting === undefined ? "" : `; it waits: ${waiting}`;
}

/** A clean diff of either direction that is young enough, and no diff that is open now. */
export function diffFinding(context: GateContext): readonly GateFinding[] {
  const { ports, limits, state } = context;
  const { document } = state.migration;
  const newest = newestDiff(document.diffs);
  // As old as the first row that it has compared, not as its end: a long one may be stale when it ends.
  const since = newest?.verifiedTime ?? newest?.finishedAt;
  const ageHours = since === undefined ? Infinity : (ports.clock.now().getTime() - Date.parse(since)) / 3_600_000;
  const clean = newest?.differences === 0;
  const open = ports.diffIsOpen(document.id);
  return [
    {
      id: "diff-fresh",
      ok: clean && ageHours <= limits.diffMaxAgeHours,
      title: "a fresh diff found both sides equal",
      observed: describeDiff(newest, ageHours),
      expected: `a diff without differences, at most ${limits.diffMaxAgeHours} h old`,
      fix: `${fixOf(newest)}Run \`switchyard diff start\`, or say with --force and --reason why none is needed.`,
      forceable: true,
    },
    {
      id: "diff-closed",
      ok: !open,
      title: "no diff is running",
      observed: open ? "a diff has a snapshot open" : "none",
      expected: "none: its snapshot would keep the new home's counters from being raised",
      fix: "Wait until it has ended, or stop it.",
    },
  ];
}

/** Why a clean diff has grown old, where more than waiting is to be done. */
function fixOf(diff: DiffSummary | undefined): string {
  if (diff?.notRefreshed !== undefined) return `Rows changed since are not compared again: ${diff.notRefreshed}. `;
  const behind = Object.keys(diff?.refreshed?.behind ?? {});
  return behind.length === 0 ? "" : `Changed since, and without a key: ${behind.join(", ")}. `;
}

function describeDiff(diff: DiffSummary | undefined, ageHours: number): string {
  if (diff === undefined) return "no diff has been run";
  return `the ${diff.direction} diff, verified as of ${ageHours.toFixed(1)} h ago, found ${diff.differences} differences`;
}
