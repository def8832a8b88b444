import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { homeOf } from "../../../src/rules/rules-edits.ts";
import { MIGRATION, TABLE } from "./sim-home.ts";
import type { SimServer } from "./sim-server.ts";

/** What the store shows after a transaction. */
export interface Documents {
  readonly rules: RulesDocument;
  readonly journal: MigrationDocument;
}

const WHILE: Readonly<Record<"switch" | "rollback", string>> = { switch: "switching", rollback: "rolling-back" };

/**
 * What must be so in the store after every transaction, by whomever: rules and journal say the same of an attempt, nothing
 * of it outlives it, and tables change their home in one way only. Each breach is one line.
 */
export function breachesOf(before: Documents, { rules, journal }: Documents): readonly string[] {
  const { attempt, fenceToken } = journal;
  const armed = rules.armed[MIGRATION]?.token;
  const held = rules.holds[MIGRATION]?.token;
  const swapped = attempt !== undefined && attempt.token === fenceToken;
  const open = attempt !== undefined && !swapped && attempt.state === undefined;
  const home = homeOf(rules, TABLE);
  const breaches = [
    ...(armed !== (open ? attempt.token : undefined) ? [`armed for ${armed}, which is not what may still swap`] : []),
    ...(held !== undefined && held !== armed ? [`held for ${held}, and armed for ${armed}`] : []),
    ...(open !== Object.values(WHILE).includes(journal.phase) ? [`an attempt in phase ${journal.phase}`] : []),
    ...(open && WHILE[attempt.kind] !== journal.phase ? [`a ${attempt.kind} in phase ${journal.phase}`] : []),
    ...(!open && (journal.phase === "switched") !== (home === "new")
      ? [`${journal.phase}, and at home on ${home}`]
      : []),
    ...(swapped && attempt.state !== undefined ? ["an attempt that has swapped is being aborted"] : []),
    ...(rules.generation < before.rules.generation ? ["a generation that goes back"] : []),
  ];
  return home === homeOf(before.rules, TABLE) ? breaches : [...breaches, ...swapBreaches(before, { rules, journal })];
}

/** The tables have another home than before: that takes the hold of the attempt that says so. */
function swapBreaches(before: Documents, { rules, journal }: Documents): readonly string[] {
  const token = journal.fenceToken;
  const held = before.rules.holds[MIGRATION]?.token;
  const own = before.journal.attempt;
  return [
    ...(held !== token || token === undefined ? [`a swap for ${token} under the hold of ${held}`] : []),
    ...(own?.token !== token || own?.state !== undefined ? ["a swap by an attempt that was not under way"] : []),
    ...(rules.generation === before.rules.generation ? ["a swap without a new generation"] : []),
    ...(journal.cutPosition === undefined || journal.generation !== rules.generation
      ? ["a swap that is not told"]
      : []),
  ];
}

/** A seal that nobody is left to take off: its attempt is not in the journal. */
export function strandedSeals(servers: readonly SimServer[], journal: MigrationDocument): readonly string[] {
  return servers.flatMap((server) =>
    [...server.ledgers].flatMap(([direction, { sealedBy }]) =>
      sealedBy === undefined || sealedBy === journal.attempt?.token
        ? []
        : [`the ledger of the ${direction} stream is sealed by ${sealedBy}, which is over`],
    ),
  );
}
