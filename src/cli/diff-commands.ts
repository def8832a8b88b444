import type { Command } from "commander";
import { SwitchyardError } from "../base/errors.ts";
import type { DiffSummary, Direction } from "../cutover/migration-document.ts";
import type { DifferenceSample, DiffProgress, DiffReport, SchemaDifference, TableResult } from "../diff/diff-report.ts";
import type { RepairCounts, RepairReport } from "../diff/run-repair.ts";
import type { CliContext } from "./cli-context.ts";
import { group, openSession, type Session, withServer } from "./command-tools.ts";
import { count, facts, table } from "./format.ts";
import { describeDiffProgress, diffProgress, freshnessFacts, type ShownStatus } from "./migration-view.ts";
import { ReportedError } from "./remote-error.ts";

const SAMPLES_SHOWN_MAX = 10;

/** A finished diff as it is stored and reported. */
type ShownReport = Partial<DiffReport> & {
  readonly direction?: Direction;
  readonly readFrom?: string;
  readonly proves?: boolean;
  /** What is in it was found when rows that were changed since a diff were compared again. */
  readonly again?: boolean;
};

/** What a repair reports. */
type ShownRepair = RepairReport & { readonly complete: boolean };

/** What was stopped; controllers of earlier versions do not say whether it was a repair. */
interface ShownStop {
  readonly kind?: "diff" | "repair";
  readonly progress: Partial<DiffProgress>;
}

/** `switchyard diff …` */
export function diffCommands(context: CliContext): Command {
  const diff = group("diff", "compare every byte of both sides while the migration runs");
  addStart(context, diff);
  addStop(context, diff);
  addRepair(context, diff);
  withServer(diff.command("status"))
    .description("the last diff, and the one under way")
    .argument("<id>", "name of the migration")
    .action(async (id: string, _: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ diffs: DiffSummary[]; report?: ShownReport; status?: ShownStatus }>(
        diffPath(id),
      );
      const running = answer.status?.diff;
      const lines = running === undefined ? [] : [`under way: ${describeDiffProgress(running)}`];
      if (answer.report !== undefined) lines.push(describeReport(answer.report));
      const fresh = freshnessFacts(answer.diffs, answer.status?.freshness);
      if (fresh.length > 0) lines.push(`\nnow\n${facts(fresh)}`);
      session.print(answer, lines.join("\n") || "No diff of this migration has finished yet.");
    });
  return diff;
}

interface StartOptions {
  readonly wait: boolean;
  readonly readFrom?: string;
  readonly fast?: boolean;
  readonly reason?: string;
}

/** What a fast diff can see and what not; the whole of it is in docs/comparing.md. */
const FAST_HELP = `
With --fast each server sums up its rows, 10,000 keys at a time: the SHA-256 of all values of each row, every byte of them, with NULL
apart from any value, joined by exclusive or. Where the sums of both sides differ, their rows are read and compared byte by byte, and
reported as in a full diff. It sees every difference that a full one sees, as long as both servers compute what they are asked: it does
not see what a server's memory or software gets wrong alike in its sums, and not rows that somebody made so that their sums are equal.
So it does not open the gate of a switch; one that finds differences closes it. Tables without a key, those whose keys both sides order
differently, and those with a FLOAT, DOUBLE, BIT, ENUM or SET in their key are read whole all the same, and the report names them.`;

function addStart(context: CliContext, parent: Command): void {
  const start = parent
    .command("start")
    .description("compare now, and wait for the outcome; exits with 1 where something differs");
  start.option(
    "--fast",
    "compare sums that the servers compute, and rows where these differ; opens no gate, docs/comparing.md says what it sees",
  );
  start.addHelpText("after", FAST_HELP);
  addRun(context, start, {});
  const resume = parent
    .command("resume")
    .description(
      "go on with a diff that failed or was stopped, behind what it had compared; the outcome is as old as that",
    );
  addRun(context, resume, { resume: true });
}

function addRun(context: CliContext, run: Command, asked: Readonly<Record<string, unknown>>): void {
  withServer(run)
    .argument("<id>", "name of the migration")
    .option("--no-wait", "return as soon as the diff is ordered")
    .option("--read-from <replica>", "read the home's rows from this replica of it; an empty text for the home itself")
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, options: StartOptions, command: Command) => {
      const session = openSession(context, command);
      const { readFrom, fast, reason } = options;
      const given = Object.entries({ ...asked, readFrom, fast, reason }).filter(([, value]) => value !== undefined);
      const body = Object.fromEntries(given);
      const placed = await session.client.order(diffPath(id), body);
      if (!options.wait) {
        session.print({ format: 1, order: placed.order.id }, `The diff of ${id} is ordered.`);
        return;
      }
      const report = (await session.follow(placed, () => showProgress(session, id))) as ShownReport;
      if ((report.differences ?? 0) > 0) throw new ReportedError(differs(id, report, session), { ...report });
      session.print({ format: 1, ...report }, describeReport(report));
    });
}

function addStop(context: CliContext, parent: Command): void {
  withServer(parent.command("stop"))
    .description("stop the diff or the repair under way; `diff resume` goes on behind what has been compared")
    .argument("<id>", "name of the migration")
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, { reason }: { reason?: string }, command: Command) => {
      const session = openSession(context, command);
      const body = reason === undefined ? {} : { reason };
      const placed = await session.client.order(`/v1/migrations/${encodeURIComponent(id)}/diff-stop`, body);
      const report = (await session.follow(placed)) as unknown as ShownStop;
      session.print({ format: 1, ...report }, describeStop(id, report));
    });
}

function describeStop(id: string, { kind, progress }: ShownStop): string {
  return kind === "repair"
    ? `The repair of ${id} is stopped; what it has written stays. \`switchyard diff repair ${id}\` goes on.`
    : `The diff of ${id} is stopped: ${describeDiffProgress(progress)}. \`switchyard diff resume ${id}\` goes on.`;
}

function addRepair(context: CliContext, parent: Command): void {
  withServer(parent.command("repair"))
    .description("write the rows that the last diff found from the home to the other side, while writes go on")
    .argument("<id>", "name of the migration")
    .option("--dry-run", "only count what would be written")
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, options: { dryRun?: boolean; reason?: string }, command: Command) => {
      const session = openSession(context, command);
      const body = {
        dryRun: options.dryRun === true,
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      };
      const placed = await session.client.order(`/v1/migrations/${encodeURIComponent(id)}/diff-repair`, body);
      const report = (await session.follow(placed)) as unknown as ShownRepair;
      if (report.refused > 0) {
        if (!session.json) session.context.out(`${describeRepair(report)}\n`);
        throw new ReportedError(refused(id, report), { ...report });
      }
      session.print({ format: 1, ...report }, describeRepair(report));
    });
}

function refused(id: string, report: ShownRepair): SwitchyardError {
  return new SwitchyardError("DIFF_ROWS_REFUSED", {
    what: `${count(report.refused)} rows of migration "${id}" could not be made equal`,
    changed: "These rows are as they were; the others have been repaired.",
    fix: `Compare the tables' definitions and unique keys on both sides; then \`switchyard diff start ${id}\`.`,
  });
}

function describeRepair(report: ShownRepair): string {
  const facing = (one: RepairCounts): string[] =>
    [one.inserted, one.deleted, one.rewritten, one.equal, one.refused].map((rows) => count(rows));
  const head = facts([
    ["outcome", report.dryRun ? "dry run: nothing was changed" : "repaired; a diff proves it"],
    ["note", report.complete ? undefined : "the diff found more rows than are kept: repair, then start another diff"],
  ]);
  const rows = report.tables.map((one) => [one.table, ...facing(one)]);
  const columns = ["TABLE", "INSERTED", "DELETED", "REWRITTEN", "EQUAL", "REFUSED"];
  return `${head}\n\n${table([columns, ...rows, ["all", ...facing(report)]])}`;
}

async function showProgress({ client, view, json }: Session, id: string): Promise<void> {
  if (json) return;
  const { status } = await client.get<{ status?: ShownStatus }>(diffPath(id));
  if (status?.diff !== undefined) view.show(diffProgress(status.diff));
}

/** A difference is a failed comparison: the report goes out first, then the error decides the exit code. */
function differs(id: string, report: ShownReport, session: Session): SwitchyardError {
  if (!session.json) session.context.out(`${describeReport(report)}\n`);
  return new SwitchyardError("DIFF_FOUND_DIFFERENCES", {
    what: `both sides of migration "${id}" differ in ${count(report.differences ?? 0)} rows`,
    changed: "Nothing was changed.",
    fix: `Find out who wrote to the side that only the stream may write to; ${report.files === undefined ? `\`switchyard diff status ${id} --json\` has both rows of the first` : `${report.files.directory} on the controller's machine has both rows of each`}. Then \`switchyard diff repair ${id}\`.`,
  });
}

function describeReport(report: ShownReport): string {
  const { differences = 0, files } = report;
  const before = (report.tables ?? []).reduce((sum, one) => sum + (one.rowsBefore ?? 0), 0);
  const head = facts([
    ["outcome", differences === 0 ? "clean: both sides are equal" : `${count(differences)} rows differ`],
    ["of", report.again === true ? "rows changed since the last diff, compared again" : undefined],
    ["read from", report.readFrom],
    ["how", report.fast === true ? "sums of ranges that the servers computed; rows where these differed" : undefined],
    ["note", report.proves === false ? describeUnproven(report) : undefined],
    ["rows", count(report.rows ?? 0)],
    ["read before", before === 0 ? undefined : `${count(before)} of them, by a controller that ended meanwhile`],
    ["verified", report.verifiedAt === undefined ? undefined : `as of ${report.verifiedAt.replaceAll("\n", "")}`],
    ["since", report.verifiedTime],
    ["finished", report.finishedAt],
    ["stream", report.pauses === undefined ? undefined : describePauses(report.pauses)],
    [
      "written to",
      files === undefined ? undefined : `${files.directory} on the controller's machine, ${count(files.bytes)} bytes`,
    ],
    ["", files?.ended === undefined ? undefined : `not all of them: ${files.ended}`],
  ]);
  const rows = (report.tables ?? []).map((one) => [one.table, count(one.rows), count(one.differences)]);
  const tables = rows.length === 0 ? "" : `\n\n${table([["TABLE", "ROWS", "DIFFERENCES"], ...rows])}`;
  const alone = (report.tables ?? []).flatMap(({ table: name, notCompared }) => describeAlone(name, notCompared));
  return (
    head +
    tables +
    alone.join("") +
    describeRead(report.tables ?? []) +
    describeSchema(report.schema ?? []) +
    describeSamples(report.samples ?? [])
  );
}

/** Why a diff that found nothing does not count for a switch. */
function describeUnproven({ fast }: ShownReport): string {
  return fast === true
    ? "a fast diff does not open the gate of a switch; diff start without --fast does"
    : "rows were copied from there, or may have been, so this does not open the gate of a switch: diff start --read-from ''";
}

function describePauses({ count: times, p50Ms, p99Ms, maxMs }: NonNullable<ShownReport["pauses"]>): string {
  return `stood ${count(times)} times for a moment: half of them ${p50Ms} ms at most, 99 % ${p99Ms} ms, the longest ${maxMs} ms`;
}

function describeAlone(name: string, notCompared: TableResult["notCompared"]): string[] {
  if (notCompared === undefined) return [];
  const sides = (["source", "target"] as const).filter((side) => notCompared[side].length > 0);
  return sides.map((side) => `\nnot compared ${name}: ${notCompared[side].join(", ")}, which only the ${side} has`);
}

function describeRead(tables: readonly TableResult[]): string {
  const read = tables.flatMap(({ table: name, notFast }) =>
    notFast === undefined ? [] : [`\nread whole ${name}: ${notFast}`],
  );
  return read.join("");
}

function describeSchema(schema: readonly SchemaDifference[]): string {
  const shown = schema.slice(0, SAMPLES_SHOWN_MAX).map((one) => {
    const sides = [one.source, one.target].map((side) => (side === null ? "absent" : JSON.stringify(side)));
    const note = one.note === undefined ? "" : `, ${one.note}`;
    return `\ndefined otherwise ${one.table} ${one.what}${note}\n  source ${sides[0]}\n  target ${sides[1]}`;
  });
  return shown.length === 0 ? "" : `\n${shown.join("")}`;
}

function describeSamples(samples: readonly DifferenceSample[]): string {
  const shown = samples.slice(0, SAMPLES_SHOWN_MAX).map((sample) => {
    const sides = [sample.source, sample.target].map((row) => (row === undefined ? "absent" : JSON.stringify(row)));
    const columns = (sample.columns ?? []).map(({ column, atByte }) => `${column} from byte ${atByte}`).join(", ");
    return `\n${sample.kind} ${sample.table} ${sample.key}${columns === "" ? "" : ` in ${columns}`}\n  source ${sides[0]}\n  target ${sides[1]}`;
  });
  return shown.length === 0 ? "" : `\n${shown.join("")}`;
}

function diffPath(id: string): string {
  return `/v1/migrations/${encodeURIComponent(id)}/diff`;
}
