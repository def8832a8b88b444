import { messageOf, SwitchyardError } from "../base/errors.ts";
import { endsOf } from "../cutover/attempt.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { planSwitch, runSwitch } from "../cutover/switch.ts";
import { FENCES, type Insistence, type SwitchOptions } from "../cutover/switch-options.ts";
import type { SwitchOutcome } from "../cutover/switch-outcome.ts";
import { lookAhead } from "./look-ahead.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { switchPorts } from "./switch-ports.ts";

type Report = Readonly<Record<string, unknown>>;

/**
 * Carries out a `switch` or `rollback` order. The error of an attempt that was refused, aborted or is unknown is
 * thrown with the code that says which.
 */
export async function orderSwitch(
  runner: MigrationRunner,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<Report> {
  const kind = order.command === "rollback" ? "rollback" : "switch";
  const options = switchOptions(runner, order, kind);
  const ports = switchPorts(runner, step);
  if (order.options["dryRun"] === true) {
    const plan = await planSwitch(ports, options);
    const ahead = await lookAhead(runner, endsOf(runner.document, kind)).catch((error: unknown) => ({
      unmeasured: messageOf(error),
    }));
    return { dryRun: true, steps: plan.steps, findings: plan.findings, refused: plan.refused, ...ahead };
  }
  return await runner.exclusively({ what: kind, who: order.who }, async () => {
    const done = order.state === "running" ? await finishedBefore(runner, kind) : undefined;
    if (done !== undefined) return done;
    const outcome = await withWarmStreams(runner, () => runSwitch(ports, options));
    await runner.reload();
    runner.openActiveStream();
    count(runner, kind, outcome);
    return report(runner, kind, outcome);
  });
}

async function withWarmStreams<T>(runner: MigrationRunner, work: () => Promise<T>): Promise<T> {
  const keepers = [runner.keepers.forward, runner.keepers.reverse];
  try {
    await Promise.all(keepers.map((keeper) => keeper.warm()));
    return await work();
  } finally {
    await Promise.all(keepers.map((keeper) => keeper.cool()));
  }
}

function switchOptions(runner: MigrationRunner, order: OrderDocument, kind: "switch" | "rollback"): SwitchOptions {
  const { options, who, reason } = order;
  const { limits } = runner.context;
  const maxLagMs = options["maxLagMs"];
  const fence = FENCES.find((one) => one === options["fence"]);
  const openTransactions = insistence(options["openTransactions"]);
  const pinned = insistence(options["pinned"]);
  return {
    migration: runner.id,
    kind,
    who,
    limits: typeof maxLagMs === "number" ? { ...limits, switchMaxLagMs: maxLagMs } : { ...limits },
    ...(reason === undefined ? {} : { reason }),
    ...(fence === undefined ? {} : { fence }),
    ...(options["force"] === true ? { force: reason ?? "no reason was given" } : {}),
    ...(options["rehearse"] === true ? { rehearse: true } : {}),
    ...(openTransactions === undefined ? {} : { openTransactions }),
    ...(pinned === undefined ? {} : { pinned }),
  };
}

function insistence(value: unknown): Insistence | undefined {
  return value === "wait" || value === "abort" || value === "kill" ? value : undefined;
}

/** An order that an earlier leader had begun: its attempt has been settled, and the phase says which way it went. */
async function finishedBefore(runner: MigrationRunner, kind: "switch" | "rollback"): Promise<Report | undefined> {
  const document = await runner.reload();
  const reached = kind === "switch" ? document.phase === "switched" : document.phase === "running";
  if (reached)
    return { outcome: "switched", takenOver: true, generation: document.generation, switchId: document.switchId };
  throw new SwitchyardError("CUTOVER_ABORTED", {
    what: `the controller that ran the ${kind} of migration "${runner.id}" ended before it did, and the next one took it back`,
    changed: "Everything is as before.",
    fix: "Run the command again.",
  });
}

function count(runner: MigrationRunner, kind: "switch" | "rollback", outcome: SwitchOutcome): void {
  const { metrics } = runner.context;
  metrics.counter("switches_total", { kind, outcome: outcome.outcome }).add();
  if (outcome.outcome === "switched") {
    metrics.histogram("switch_pause_seconds", { kind }).observe(outcome.pauseMs / 1000);
  }
}

function report(runner: MigrationRunner, kind: "switch" | "rollback", outcome: SwitchOutcome): Report {
  switch (outcome.outcome) {
    case "switched":
      return {
        outcome: "switched",
        kind,
        home: kind === "switch" ? runner.document.target : runner.document.source,
        switchId: outcome.switchId,
        generation: outcome.generation,
        pauseMs: outcome.pauseMs,
        steps: outcome.steps,
        strays: outcome.strays,
        notes: outcome.notes,
      };
    case "rehearsed":
      return {
        outcome: "rehearsed",
        kind,
        home: kind === "switch" ? runner.document.source : runner.document.target,
        heldMs: outcome.heldMs,
        steps: outcome.steps,
        notes: outcome.notes,
      };
    case "refused":
      throw outcome.error;
    case "aborted":
      throw new SwitchyardError("CUTOVER_ABORTED", {
        what: `the ${kind} of migration "${runner.id}" was aborted: ${outcome.reason.facts.what}`,
        details: [
          ...(outcome.reason.facts.details ?? []),
          ...outcome.notes,
          `clients were held for ${Math.round(outcome.heldMs)} ms`,
        ],
        changed: "Everything is as before; held statements went to the old home.",
        ...(outcome.reason.facts.fix === undefined ? {} : { fix: outcome.reason.facts.fix }),
        cause: outcome.reason,
      });
    case "superseded":
    case "unsettled":
      throw outcome.reason;
  }
}
