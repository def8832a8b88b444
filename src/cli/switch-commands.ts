import { type Command, InvalidArgumentError, Option } from "commander";
import { SwitchyardError } from "../base/errors.ts";
import type { StepTime } from "../cutover/attempt.ts";
import { describeBlocker } from "../cutover/describe-blocker.ts";
import type { PauseForecast } from "../cutover/pause-forecast.ts";
import type { GateFinding } from "../cutover/ports.ts";
import { FENCES } from "../cutover/switch-options.ts";
import type { BlockedSession } from "../rules/proxy-document.ts";
import type { CliContext } from "./cli-context.ts";
import { openSession, withServer } from "./command-tools.ts";
import { count, duration, table } from "./format.ts";
import { ReportedError } from "./remote-error.ts";

interface SwitchCommandOptions {
  readonly dryRun?: boolean;
  readonly rehearse?: boolean;
  readonly openTransactions?: string;
  readonly pinned?: string;
  readonly fence?: string;
  readonly force?: boolean;
  readonly maxLagMs?: number;
  readonly reason?: string;
}

/** What a switch, a rollback or their dry run reports. */
interface ShownOutcome {
  readonly dryRun?: boolean;
  readonly findings?: readonly GateFinding[];
  readonly refused?: unknown;
  /** What a dry run has measured and seen, or why it could not. */
  readonly pinned?: readonly ShownPinned[];
  readonly longestOpenMs?: number;
  readonly pause?: PauseForecast;
  readonly unmeasured?: string;
  readonly home?: string;
  readonly generation?: number;
  readonly outcome?: string;
  readonly pauseMs?: number;
  readonly heldMs?: number;
  /** Lines of a plan, or the steps that were done with the time of each. */
  readonly steps?: readonly (string | StepTime)[];
  readonly strays?: readonly unknown[];
  readonly notes?: readonly string[];
}

/** A session that cannot follow as it is. */
type ShownPinned = BlockedSession & { readonly proxy: string };

/** `switchyard switch` and `switchyard rollback`: the same steps, with the ends exchanged. */
export function switchCommand(
  context: CliContext,
  kind: "switch" | "rollback",
  create: (name: string) => Command,
): Command {
  const what = kind === "switch" ? "move the tables' traffic to the new home" : "move the traffic back to the old home";
  return withServer(create(kind))
    .description(`${what}; clients see a pause of some milliseconds, and no error unless one of the options says kill`)
    .argument("<id>", "name of the migration")
    .option(
      "--dry-run",
      "check the gate, print the steps, the sessions in their way and the pause to expect; change nothing",
    )
    .option(
      "--rehearse",
      "do all but the change of home, then go back: clients are held for a moment, and the time is measured",
    )
    .addOption(
      new Option(
        "--open-transactions <what>",
        "transactions that are open: wait for drainTimeoutMs, then abort (the default); abort as soon as one is seen; or wait, " +
          "then kill those of the proxies: they are rolled back, and their clients told by error 1213; not with --rehearse",
      ).choices(["wait", "abort", "kill"]),
    )
    .addOption(
      new Option(
        "--pinned <what>",
        "sessions that cannot follow, see `switchyard sessions`: abort as soon as one is seen (the default); wait for " +
          "armTimeoutMs, holding nobody; or wait for drainTimeoutMs, then kill them: they end with error 3169; not with --rehearse",
      ).choices(["wait", "abort", "kill"]),
    )
    .addOption(
      new Option(
        "--fence <how>",
        "what keeps out of the old home who comes past the proxies, until triggers do: lock, its tables locked for writing (the " +
          "default); lock-read, locked beside readers, which are waited for after the swap; or none, which loses such writes " +
          "where there are any: needs --force",
      ).choices(FENCES),
    )
    .option("--force", "pass the checks that may be passed; needs --reason")
    .option("--max-lag-ms <ms>", "how far behind the stream may be", wholeNumber)
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, options: SwitchCommandOptions, command: Command) => {
      const session = openSession(context, command);
      const { dryRun, rehearse, openTransactions, pinned, fence, force, maxLagMs, reason } = options;
      const given = Object.entries({ dryRun, rehearse, openTransactions, pinned, fence, force, maxLagMs, reason });
      const body = Object.fromEntries(given.filter(([, value]) => value !== undefined));
      const placed = await session.client.order(`/v1/migrations/${encodeURIComponent(id)}/${kind}`, body);
      const outcome = (await session.follow(placed)) as ShownOutcome;
      const text = outcome.dryRun === true ? describePlan(kind, id, outcome) : describeOutcome(kind, id, outcome);
      if (outcome.dryRun !== true || !isRefused(outcome)) {
        session.print({ format: 1, ...outcome }, text);
        return;
      }
      if (!session.json) context.out(`${text}\n`);
      throw new ReportedError(refusedPlan(kind, id), { ...outcome });
    });
}

/** A dry run whose gate would refuse: its report is printed already, and the exit code says so too. */
function refusedPlan(kind: string, id: string): SwitchyardError {
  return new SwitchyardError("CUTOVER_GATE_REFUSED", {
    what: `the gate would refuse this ${kind} of migration "${id}"`,
    changed: "Nothing was changed.",
    fix: "Mend what is marked above.",
  });
}

function isRefused({ refused, findings }: ShownOutcome): boolean {
  if (refused !== undefined) return refused !== false && refused !== null;
  return (findings ?? []).some((finding) => !finding.ok);
}

function describePlan(kind: string, id: string, outcome: ShownOutcome): string {
  const { steps, findings } = outcome;
  const gate = (findings ?? []).map((finding) => {
    const line = `  ${finding.ok ? "ok     " : "REFUSED"} ${finding.title}: ${finding.observed}`;
    return finding.ok ? line : `${line}; expected ${finding.expected}. ${finding.fix}`;
  });
  const lines = (steps ?? []).filter((step) => typeof step === "string");
  const plan = lines.map((step, index) => `  ${index + 1}. ${step}`);
  const ahead = [...describePinned(outcome), ...describeForecast(outcome)];
  return [`Gate of the ${kind} of ${id}:`, ...gate, "Steps:", ...plan, ...ahead, "Nothing was changed."].join("\n");
}

function describePinned({ pinned }: ShownOutcome): readonly string[] {
  if (pinned === undefined) return [];
  if (pinned.length === 0) return ["Sessions that cannot follow as they are: none was reported."];
  return [
    "Sessions that cannot follow as they are; --pinned says what becomes of those that use the tables:",
    ...pinned.map((session) => `  ${describeBlocker(session.proxy, session)}`),
  ];
}

function describeForecast({ pause, longestOpenMs, unmeasured }: ShownOutcome): readonly string[] {
  if (unmeasured !== undefined) return [`The pause could not be predicted: ${unmeasured}`];
  if (pause === undefined) return [];
  const range = `${pause.typicalMs} ms, up to ${pause.slowestMs} ms`;
  const { statements } = pause;
  const rows = pause.phases.map(({ step, typicalMs, slowestMs, from }) => [
    `  ${step}`,
    `${typicalMs} ms`,
    `${slowestMs} ms`,
    from,
  ]);
  return [
    `Pause to expect: ${range}, by what was measured just now:`,
    ...table(rows).split("\n"),
    ...(statements === undefined
      ? []
      : [`About ${count(statements.typical)} statements come in that time, at most ${count(statements.most)}.`]),
    longestOpenMs === undefined || longestOpenMs === 0
      ? "No transaction has had the tables for a second or more; one that is open is waited for besides."
      : `The longest transaction on the tables has been open for ${duration(longestOpenMs)}; the end of it is waited for besides.`,
  ];
}

function describeOutcome(kind: string, id: string, outcome: ShownOutcome): string {
  if (outcome.outcome === "rehearsed") return describeRehearsal(kind, id, outcome);
  const lines = [
    `${kind === "switch" ? "Switched" : "Rolled back"}: the tables of ${id} live on ${outcome.home ?? "their new home"} now.`,
  ];
  if (outcome.pauseMs !== undefined) lines.push(`Statements were held for ${duration(outcome.pauseMs)}.`);
  const strays = outcome.strays?.length ?? 0;
  if (strays > 0)
    lines.push(
      `${count(strays)} writes reached the tables where they were, past the proxies; look at migration status.`,
    );
  return [...lines, ...(outcome.notes ?? [])].join("\n");
}

function describeRehearsal(kind: string, id: string, { home, heldMs, steps, notes }: ShownOutcome): string {
  const times = (steps ?? []).filter((step) => typeof step !== "string");
  return [
    `Rehearsed: a ${kind} of ${id} would go through. The tables are where they were, on ${home ?? "their home"}.`,
    `Statements were held for ${duration(heldMs ?? 0)}, until they went on there.`,
    ...times.map(({ step, tookMs }) => `  ${step.padEnd(16)} ${duration(tookMs)}`),
    ...(notes ?? []),
  ].join("\n");
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of milliseconds.");
  return Number(text);
}
