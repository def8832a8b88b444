import {
  type MigrationDocument,
  THROTTLE_LIMITS,
  type ThrottleLimit,
  type Tuning,
} from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { endpointOf } from "./controller-context.ts";
import type { MigrationRunner } from "./migration-runner.ts";

type Report = Readonly<Record<string, unknown>>;

/**
 * Changes how gently the copy and the diffs of a migration go, in force within a second, also for what is under way. Kept in
 * the journal, so that every later controller goes by it. What is not named stays as it was.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` where a replica is not in `backends:`
 */
export async function orderTune(runner: MigrationRunner, order: OrderDocument): Promise<Report> {
  const change = tuningOf(order.options);
  for (const replica of change.replicas ?? []) endpointOf(runner.context, replica);
  const document = await runner.record(
    {
      who: order.who,
      what: `tuned: ${describe(change)}`,
      ...(order.reason === undefined ? {} : { reason: order.reason }),
    },
    (before) => withTuning(before, change, order.options["reset"] === true),
  );
  return { tuning: document.tuning ?? {} };
}

/** The journal with these changes; `reset` forgets first what was said before. */
export function withTuning(document: MigrationDocument, change: Tuning, reset: boolean): MigrationDocument {
  const { tuning = {}, ...rest } = document;
  const before: Tuning = reset ? {} : tuning;
  const limits = { ...before.limits, ...change.limits };
  return { ...rest, tuning: { ...before, ...change, limits } };
}

function tuningOf(options: Readonly<Record<string, unknown>>): Tuning {
  const limits = Object.fromEntries(
    THROTTLE_LIMITS.flatMap((name): [ThrottleLimit, number][] => {
      const value = options[name];
      return typeof value === "number" ? [[name, value]] : [];
    }),
  );
  const replicas = options["replicas"];
  return { limits, ...(Array.isArray(replicas) ? { replicas: replicas.map(String) } : {}) };
}

function describe({ limits = {}, replicas }: Tuning): string {
  const parts = Object.entries(limits).map(([name, value]) => `${name} ${value}`);
  if (replicas !== undefined) parts.push(`replicas ${replicas.join(", ") || "none"}`);
  return parts.join(", ") || "as configured";
}
