import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { interruption, wholeNumber } from "../soak.ts";
import { appendRecord, type CellRecord, matrixTable, readRecords, tally } from "./cell-records.ts";
import { LIMITS, REST_MS_MAX, runCell } from "./cell-run.ts";
import { allCells, cellsFrom, matching, nextCell, type PlannedCell, pending, SAME_AS } from "./cells.ts";
import { Stage } from "./stage.ts";

/** A stage is replaced after so many cells: what each look compares grows with every write. */
const CELLS_PER_STAGE = 60;
const FINDING_LENGTH_MAX = 600;
const SEEDS = 1_000_000;

export const faultUsage: readonly string[] = [
  "--faults       instead: kill -9, SIGSTOP for two leases, and cut link, of proxy, controller, etcd, old and new home,",
  "               at every named step; each cell must end by itself, and goes into the progress file",
  "  --progress F   where cells that are done are noted, and not run again; in the folder for temporary files where left out",
  "  --fresh        forgets them",
  "  --only CELL    step/victim/fault, * for any: those, done or not; may be repeated",
  "  --from CELL    goes on from there",
  "  --both         each cell there and back; else each once, whichever way the tables can go",
  "  --patience N   on a busy machine: each may take N times as long to be at rest (1)",
  "  --minutes N    ends after the cell in which this time is over",
  "  --clients N, --think MS, --seed S as above (24, 300)",
];

interface Plan {
  readonly left: PlannedCell[];
  readonly progress: string;
  readonly minutes: number;
  readonly patience: number;
  readonly stage: Pick<Parameters<typeof Stage.start>[0], "clients" | "thinkMs" | "seed">;
}

/** Runs the matrix of faults, as far as the options ask for it. Resolves with the exit code: 0 where no cell has failed. */
export async function runFaultMatrix(args: readonly string[]): Promise<number> {
  const plan = planOf(args);
  say(`${plan.left.length} cells to run, seed ${plan.stage.seed}, noted in ${plan.progress}`);
  say(`each must be at rest ${(REST_MS_MAX * plan.patience) / 1000} s after its fault at the latest`);
  for (const [step, same] of Object.entries(SAME_AS)) say(`${step} is not run: as ${same.step}, for ${same.why}`);
  const due = plan.left.length;
  const ran = await runCells(plan);
  const known = readRecords(plan.progress);
  for (const line of matrixTable(known)) say(line);
  const failed = known.filter(({ outcome }) => outcome === "failed");
  for (const { cell, kind, findings } of failed) {
    say(`FAILED ${kind} ${cell}`);
    for (const finding of findings.slice(0, 5)) say(`  ${finding.slice(0, FINDING_LENGTH_MAX)}`);
  }
  say(`this run: ${tally(ran)}`);
  say(`in all: ${tally(known)}`);
  if (ran.length < due) say(`${due - ran.length} cells were not run; the same command goes on with them`);
  for (const { cell } of failed) say(`npm run soak -- switch --faults --only ${cell}`);
  return failed.length === 0 && ran.length === due ? 0 : 1;
}

function planOf(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      progress: { type: "string", default: join(tmpdir(), "switchyard-faults.jsonl") },
      fresh: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      from: { type: "string" },
      both: { type: "boolean", default: false },
      minutes: { type: "string", default: "600" },
      patience: { type: "string", default: "1" },
      clients: { type: "string", default: "24" },
      think: { type: "string", default: "300" },
      seed: { type: "string" },
    },
  });
  if (values.fresh) rmSync(values.progress, { force: true });
  const { only } = values;
  const asked = only === undefined ? allCells() : [...new Set(only.flatMap((pattern) => matching(pattern)))];
  const cells = values.from === undefined ? asked : cellsFrom(values.from, asked);
  const done = only === undefined ? readRecords(values.progress).filter(({ outcome }) => outcome !== "failed") : [];
  return {
    left: [...pending(cells, done, values.both)],
    progress: values.progress,
    minutes: wholeNumber("minutes", values.minutes, 1),
    patience: wholeNumber("patience", values.patience, 1),
    stage: {
      clients: wholeNumber("clients", values.clients, 8),
      thinkMs: wholeNumber("think", values.think, 1),
      seed: values.seed === undefined ? Date.now() % SEEDS : wholeNumber("seed", values.seed, 0),
    },
  };
}

async function runCells({ left, progress, minutes, patience, stage: options }: Plan): Promise<readonly CellRecord[]> {
  const ran: CellRecord[] = [];
  const startedMs = performance.now();
  const isOver = (): boolean => performance.now() - startedMs > minutes * 60_000;
  const all = left.length;
  const interrupted = interruption();
  let stage: Stage | undefined;
  let unexcuseLast = (): void => undefined;
  try {
    for (let onStage = 0; left.length > 0 && !isOver(); onStage += 1) {
      stage ??= await startStage(options);
      const way = (await stage.settle(REST_MS_MAX * patience)) === "old" ? "switch" : "rollback";
      const cell = nextCell(left, way);
      if (cell === undefined) break;
      if (cell.kind !== undefined && cell.kind !== way) {
        await stage.move(way);
        continue;
      }
      const run = await Promise.race([runCell(stage, cell, { patience, unexcuseLast }), interrupted]);
      const { record, usable } = run;
      unexcuseLast = run.unexcuse;
      left.splice(left.indexOf(cell), 1);
      appendRecord(progress, record);
      ran.push(record);
      tell(record, `${ran.length}/${all}`, startedMs);
      if (record.outcome === "failed") keepLogs(stage, record, progress);
      if (usable && record.outcome !== "failed" && onStage < CELLS_PER_STAGE) continue;
      onStage = -1;
      await stage.stop();
      stage = undefined;
    }
  } catch (error) {
    say(`ended early: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    await stage?.stop();
  }
  return ran;
}

/** The whole logs of all processes beside the progress file: what has failed under faults is not seen again soon. */
function keepLogs({ proxies, controllers, system, fleet }: Stage, { cell, at }: CellRecord, progress: string): void {
  const folder = join(`${progress}.logs`, `${at.slice(11, 19).replaceAll(":", "")}-${cell.replaceAll("/", "-")}`);
  mkdirSync(folder, { recursive: true });
  for (const [index, one] of proxies.entries()) writeFileSync(join(folder, `p${index + 1}`), one.log);
  for (const [index, one] of controllers.entries()) writeFileSync(join(folder, `c${index + 1}`), one.log);
  for (const server of [system.old, system.new, fleet.etcd]) writeFileSync(join(folder, server.name), server.log());
  say(`          logs are in ${folder}`);
}

/** Small enough that a cell takes seconds, with clients of every kind. */
export async function startStage(options: Plan["stage"]): Promise<Stage> {
  const { leaseTtlMs, childRestartMaxMs: _, ...limits } = LIMITS;
  const more = Object.entries(limits).map(([name, value]) => `${name}: ${value}`);
  const start = (): Promise<Stage> => Stage.start({ ...options, leaseTtlMs, links: true, limits: more.join(", ") });
  return await start().catch((error: unknown) => {
    // A machine that is too busy at this moment, as a rule.
    say(`the stage is started once more: ${String(error).slice(0, FINDING_LENGTH_MAX)}`);
    return start();
  });
}

function tell(
  { cell, kind, outcome, restMs, tookMs, excused, answer, findings }: CellRecord,
  at: string,
  sinceMs: number,
): void {
  const elapsed = ((performance.now() - sinceMs) / 1000).toFixed(0).padStart(5);
  const allowed = excused === 0 ? "" : `, ${excused} errors allowed`;
  say(
    `${elapsed} s  ${at}  ${kind.padEnd(8)} ${cell.padEnd(38)} ${outcome.padEnd(8)} at rest after ${(restMs / 1000).toFixed(1)} s, ` +
      `${(tookMs / 1000).toFixed(1)} s in all${allowed}; ${answer.slice(0, 160)}`,
  );
  for (const finding of findings) say(`          ${finding.slice(0, FINDING_LENGTH_MAX)}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
