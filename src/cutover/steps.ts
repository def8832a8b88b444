import { endsWithin } from "../base/deadline.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { Failpoint } from "../base/failpoints.ts";
import { unlessStandstill } from "../mysql/unless-standstill.ts";
import { LOOK_WHILE_HELD_MS } from "./answer-in-time.ts";
import { type Attempt, fenceOf } from "./attempt.ts";
import type { SwitchEnds } from "./ports.ts";
import { arm } from "./step-arm.ts";
import { awaitArmed, watchProxies } from "./step-armed.ts";
import { checkNewHome, closeFeedingStream, fence, levelCounters } from "./step-fence.ts";
import { drain, hold } from "./step-hold.ts";
import {
  fenceForGood,
  findStrays,
  lockForWriting,
  release,
  removeGuards,
  startReturnStream,
  unlockOldHome,
} from "./step-release.ts";
import { clearNewHome, openSessions } from "./step-sessions.ts";
import { swap } from "./step-swap.ts";
import { endOpenAfterMs, type FenceKind, type Insistence, type SwitchOptions } from "./switch-options.ts";

/** One step of a switch: what it says in a plan, and what it does. */
export interface SwitchStep {
  readonly name: string;
  /** What the step does, for `--dry-run` and the terminal. */
  readonly title: (ends: SwitchEnds, options: SwitchOptions) => string;
  readonly run: (attempt: Attempt) => Promise<void>;
  /** Announced before and after it. */
  readonly before?: Failpoint;
  readonly after?: Failpoint;
}

const ABOUT_PINNED: Readonly<Record<Insistence, string>> = {
  wait: "wait for those that cannot follow yet",
  abort: "abort where one cannot follow",
  kill: "end those that cannot follow",
};

const ABOUT_FENCE: Readonly<Record<FenceKind, (oldHome: string) => string>> = {
  lock: (oldHome) => `lock the tables on ${oldHome} itself`,
  "lock-read": (oldHome) => `lock the tables on ${oldHome} itself against writers, beside readers`,
  none: (oldHome) => `let writes past the proxies go on at ${oldHome}, and lose those that come too late`,
};

const ABOUT_READERS: Readonly<Record<FenceKind, (oldHome: string) => string>> = {
  lock: () => "",
  "lock-read": (oldHome) => `once readers on ${oldHome} have ended, lock them out as well; `,
  none: (oldHome) => `lock the tables on ${oldHome} once nobody uses them; `,
};

/** Up to the swap: every failure in here aborts, and all is as before. */
export const STEPS_TO_SWAP: readonly SwitchStep[] = [
  {
    name: "arm",
    title: () => "write the attempt into the journal and arm the migration",
    run: arm,
    after: "switch-after-journal",
  },
  {
    name: "sessions",
    title: (ends) => `open the migration's sessions on ${ends.oldHome} and ${ends.newHome}`,
    run: openSessions,
    after: "switch-after-sessions",
  },
  {
    name: "clear",
    title: (ends) =>
      `make ${ends.newHome} ready: watch it for foreign writes, write down that the ${ends.returning} stream will start there, replace fences by guards, set its counters ahead`,
    run: clearNewHome,
    after: "switch-after-clear",
  },
  {
    name: "armed",
    title: (ends, options) =>
      `wait until every proxy has its sessions ready on ${ends.newHome}; ${ABOUT_PINNED[options.pinned ?? "abort"]}`,
    run: async (attempt) => {
      await watchProxies(attempt);
      await awaitArmed(attempt);
    },
    after: "switch-after-arm",
  },
  {
    name: "hold",
    title: (ends, options) =>
      `hold statements on ${ends.tables.length} tables, for at most ${options.limits.holdBudgetMs} ms`,
    run: hold,
    after: "switch-after-hold",
  },
  {
    name: "drain",
    title: (_ends, options) => {
      const { limits, openTransactions } = options;
      if (openTransactions === "abort") return "let statements end; abort where a transaction is open";
      return openTransactions === "kill"
        ? `let open transactions end, for at most ${endOpenAfterMs(limits)} ms, then end them`
        : `let open transactions end, for at most ${limits.drainTimeoutMs} ms`;
    },
    run: drain,
    after: "switch-after-drain",
  },
  {
    name: "fence",
    title: (ends, options) => `${ABOUT_FENCE[fenceOf(options)](ends.oldHome)} (${fenceOf(options)})`,
    run: fence,
    after: "switch-after-fence",
  },
  {
    name: "close-stream",
    title: (ends) => `let the ${ends.feeding} stream apply all of ${ends.oldHome}, and close it`,
    run: closeFeedingStream,
    after: "switch-after-forward-closed",
  },
  {
    name: "counters",
    title: (ends) => `raise AUTO_INCREMENT counters of ${ends.newHome} where they are lower`,
    run: levelCounters,
    after: "switch-after-counters",
  },
  {
    name: "stray-check",
    title: (ends) => `make sure that nobody else has written to the tables on ${ends.newHome}`,
    run: checkNewHome,
    after: "switch-after-stray-check",
  },
  {
    name: "swap",
    title: (ends) => `change the rules: the tables are at home on ${ends.newHome}`,
    run: swap,
    before: "switch-before-swap",
    after: "switch-after-swap",
  },
];

/** What a rehearsal does: everything that can be taken back. */
export const STEPS_OF_REHEARSAL: readonly SwitchStep[] = STEPS_TO_SWAP.filter((step) => step.name !== "swap");

/** After the swap: it is a fact, and every failure in here is gone over until it is done. Each may be repeated. */
export const STEPS_AFTER_SWAP: readonly SwitchStep[] = [
  {
    name: "release",
    title: (ends) => `wait until every proxy sends the tables' statements to ${ends.newHome}`,
    run: release,
    after: "switch-after-release",
  },
  {
    name: "lasting-fence",
    title: (ends, options) =>
      `${ABOUT_READERS[fenceOf(options)](ends.oldHome)}refuse writes to the tables on ${ends.oldHome} for good, by triggers`,
    run: async (attempt) => {
      await lockForWriting(attempt);
      await findStrays(attempt);
      await fenceForGood(attempt);
    },
    after: "switch-after-lasting-fence",
  },
  {
    name: "unlock",
    title: (ends) => `end DDL that waits for the tables on ${ends.oldHome}, and unlock them`,
    run: unlockOldHome,
    after: "switch-after-unlock",
  },
  {
    name: "return-stream",
    title: (ends) => `start the ${ends.returning} stream: what ${ends.newHome} takes flows back to ${ends.oldHome}`,
    run: startReturnStream,
    after: "switch-after-return-stream",
  },
  {
    name: "remove-guards",
    title: (ends) => `take off ${ends.newHome} what had kept others from writing before the swap`,
    run: removeGuards,
    after: "switch-after-guards",
  },
];

/** The plan of a switch, one line a step, from the objects that would run. */
export function planLines(ends: SwitchEnds, options: SwitchOptions): readonly string[] {
  const steps = [...STEPS_TO_SWAP, ...STEPS_AFTER_SWAP];
  return ["check the gate", ...steps.map((step) => step.title(ends, options)), "close the attempt in the journal"];
}

/** A step that keeps to the budget by itself says better what it waits for. */
const BUDGET_GRACE_MS = 100;

/**
 * Runs one step before the swap. While clients are held none may outlast the time for that: a server that does not answer,
 * or whose every write waits for a lock, would have the tables locked for as long as it likes, with clients in front of them.
 * Before that a step is given up only where a server keeps every commit waiting.
 *
 * What a step that was given up does late comes to nothing: the store transaction of the abort changes the revisions that a
 * swap needs, and the stream that it lets go on has raised the epoch that a seal needs; locks go with their session, which it
 * closes or ends; counters only rise.
 *
 * @throws {SwitchyardError} `CUTOVER_HOLD_EXPIRED`, `MYSQL_COMMITS_STAND_STILL`, and what the step throws
 */
export async function runInBudget(step: SwitchStep, attempt: Attempt): Promise<void> {
  const { ports, ends, options, holdDeadline } = attempt;
  const work = runStep(step, attempt);
  if (holdDeadline === undefined) return await unlessKept(step, attempt, work);
  if (await endsWithin(ports.clock, work, holdDeadline.leftMs() + BUDGET_GRACE_MS)) return await work;
  logLate(step, attempt, work);
  throw new SwitchyardError("CUTOVER_HOLD_EXPIRED", {
    what: `a step did not end within the ${options.limits.holdBudgetMs} ms for which clients may be held: ${step.title(ends, options)}`,
    details: await whatKeeps(attempt),
    fix: "A server does not answer, or keeps our statement waiting: look at its processlist.",
  });
}

/** What a step fails with that was given up is nobody's. */
function logLate({ name }: SwitchStep, { ports, ends }: Attempt, work: Promise<void>): void {
  work.catch((error: unknown) => {
    const facts = { migration: ends.migration, step: name, error: messageOf(error) };
    ports.log.info(facts, "a step was given up before");
  });
}

/** Nobody is held: a step may take its time, but what keeps a server is said, be it that it fails for it or does not end. */
async function unlessKept(step: SwitchStep, attempt: Attempt, work: Promise<void>): Promise<void> {
  const { ports, ends, options } = attempt;
  const look = async () => (await whatKeeps(attempt)).join("; ") || undefined;
  try {
    await unlessStandstill(work, { clock: ports.clock, what: step.title(ends, options), look });
  } catch (error) {
    if (isSwitchyardError(error, "MYSQL_COMMITS_STAND_STILL")) logLate(step, attempt, work);
    if (!isSwitchyardError(error) || error.code === "MYSQL_COMMITS_STAND_STILL") throw error;
    const keeps = await whatKeeps(attempt);
    if (keeps.length === 0) throw error;
    const details = [...(error.facts.details ?? []), ...keeps];
    throw new SwitchyardError(error.code, { ...error.facts, details, cause: error });
  }
}

/** What the servers say of that; nothing where they do not answer at once, as clients wait. */
async function whatKeeps({ ports, ends, oldSession, newSession }: Attempt): Promise<readonly string[]> {
  const homes = [
    [ends.oldHome, oldSession],
    [ends.newHome, newSession],
  ] as const;
  const asked = homes.map(async ([home, session]) => {
    const look = session?.standstill().catch(() => undefined) ?? Promise.resolve(undefined);
    const why = (await endsWithin(ports.clock, look, LOOK_WHILE_HELD_MS)) ? await look : undefined;
    return why === undefined ? [] : [`on ${home}: ${why}`];
  });
  return (await Promise.all(asked)).flat();
}

/** Runs one step, with its failpoints. */
export async function runStep(step: SwitchStep, attempt: Attempt): Promise<void> {
  const { ports, ends, options } = attempt;
  if (step.before !== undefined) await ports.failpoint(step.before);
  ports.progress(step.title(ends, options));
  const started = ports.clock.monotonicMs();
  await step.run(attempt);
  const tookMs = Math.round((ports.clock.monotonicMs() - started) * 10) / 10;
  attempt.times.push({ step: step.name, tookMs });
  ports.log.debug({ migration: ends.migration, step: step.name, tookMs }, "step done");
  if (step.after !== undefined) await ports.failpoint(step.after);
}
