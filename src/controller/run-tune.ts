import {
  type MigrationDocument,
  THROTTLE_LIMITS,
  type ThrottleLimit,
  type Tuning,
} from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { ON_DDL, type OnDdl } from "../rules/on-ddl.ts";
import { endpointOf } from "./controller-context.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { requireReplica } from "./read-from.ts";

type Report = Readonly<Record<string, unknown>>;

/**
 * Changes how gently the copy and the diffs of a migration go, and what becomes of DDL, in force within a second, also for what
 * is under way. Kept in the journal, so that every later controller goes by it. What is not named stays as it was.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` where a replica is not in `backends:`, `MYSQL_REPLICA_UNFIT` where rows
 *   cannot be read from it
 */
export async function orderTune(runner: MigrationRunner, order: OrderDocument): Promise<Report> {
  const change = tuningOf(order.options);
  const { context, id } = runner;
  for (const replica of change.replicas ?? []) endpointOf(context, replica);
  if (change.readFrom !== undefined && change.readFrom !== "") {
    await requireReplica(context, change.readFrom, runner.document.source, id);
  }
  const onDdl = ON_DDL.find((one) => one === order.options["onDdl"]);
  const document = await runner.record(
    {
      who: order.who,
      what: `tuned: ${describe(change, onDdl)}`,
      ...(order.reason === undefined ? {} : { reason: order.reason }),
    },
    (before) => ({
      ...withTuning(before, change, order.options["reset"] === true),
      ...(onDdl === undefined ? {} : { onDdl }),
    }),
  );
  return { tuning: document.tuning ?? {}, onDdl: document.onDdl };
}

/** The journal with these changes; `reset` forgets first what was said before. */
export function withTuning(document: MigrationDocument, change: Tuning, reset: boolean): MigrationDocument {
  const { tuning = {}, ...rest } = document;
  const before: Tuning = reset ? {} : tuning;
  const limits = { ...before.limits, ...change.limits };
  const { readFrom, ...others } = { ...before, ...change, limits };
  const next: MigrationDocument = { ...rest, tuning: others };
  return readFrom === undefined || readFrom === "" ? next : readingFrom(next, readFrom);
}

/** The journal of a migration whose rows are read from a replica from now on. */
export function readingFrom(document: MigrationDocument, readFrom: string): MigrationDocument {
  const tuned = { ...document, tuning: { ...document.tuning, readFrom } };
  if (document.phase !== "created" && document.phase !== "copying") return tuned;
  return { ...tuned, copiedFrom: [...new Set([...(document.copiedFrom ?? []), readFrom])] };
}

function tuningOf(options: Readonly<Record<string, unknown>>): Tuning {
  const limits = Object.fromEntries(
    THROTTLE_LIMITS.flatMap((name): [ThrottleLimit, number][] => {
      const value = options[name];
      return typeof value === "number" ? [[name, value]] : [];
    }),
  );
  const { replicas, readFrom } = options;
  return {
    limits,
    ...(typeof readFrom === "string" ? { readFrom } : {}),
    ...(Array.isArray(replicas) ? { replicas: replicas.map(String) } : {}),
  };
}

function describe({ limits = {}, replicas, readFrom }: Tuning, onDdl: OnDdl | undefined): string {
  const parts = Object.entries(limits).map(([name, value]) => `${name} ${value}`);
  if (replicas !== undefined) parts.push(`replicas ${replicas.join(", ") || "none"}`);
  if (readFrom !== undefined) parts.push(`rows read from ${readFrom || "the source"}`);
  if (onDdl !== undefined) parts.push(`DDL: ${onDdl}`);
  return parts.join(", ") || "as configured";
}
