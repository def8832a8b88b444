import { MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import { STATES, type StateCode } from "./catalogue.ts";
import { attemptFindings, leftInStore } from "./checks/attempts.ts";
import { documentFindings } from "./checks/documents.ts";
import { fenceFindings, orphanFences } from "./checks/fences.ts";
import { ledgerFindings } from "./checks/ledgers.ts";
import { leftOnServers } from "./checks/leftovers.ts";
import { processFindings } from "./checks/processes.ts";
import { endFindings, serverFindings } from "./checks/servers.ts";
import type { Facts } from "./facts.ts";
import { type DoctorFinding, identity } from "./finding.ts";
import { standings } from "./standing.ts";

const ORDER = new Map((Object.keys(STATES) as StateCode[]).map((code, at) => [code, at]));

/**
 * Every state that should not be, by rules, journals, claims, servers, fences and ledgers against each other. Total and pure:
 * any facts have an answer, and the same facts have the same one. What a controller has in hand at this moment is left out, as
 * all that it touches is in motion.
 *
 * A finding bears a repair only where the facts prove that it loses nothing, whichever of the parts was restored.
 */
export function diagnose(facts: Facts): readonly DoctorFinding[] {
  const all = standings(facts);
  // A journal that cannot be read is one all the same.
  const known = new Set([
    ...facts.store.migrations.map(({ document }) => document.id),
    ...facts.store.unreadable
      .filter(({ key }) => key.startsWith(MIGRATIONS_PREFIX))
      .map(({ key }) => key.slice(MIGRATIONS_PREFIX.length)),
  ]);
  const findings = [
    ...documentFindings(facts),
    ...leftInStore(facts, known),
    ...processFindings(facts, all),
    ...serverFindings(facts),
    ...all.flatMap((one) => [
      ...attemptFindings(facts, one),
      ...endFindings(facts, one),
      ...fenceFindings(facts, one),
      ...ledgerFindings(facts, one),
    ]),
    ...orphanFences(facts, known),
    ...leftOnServers(facts, all, known),
  ];
  return findings.toSorted((a, b) => (ORDER.get(a.code) ?? 0) - (ORDER.get(b.code) ?? 0));
}

/**
 * What two looks have in common: what was on its way in the first, as a proxy that had not heard of new rules yet, has gone
 * in the second. The second look's words are kept, since repairs go by them.
 */
export function inBoth(first: readonly DoctorFinding[], second: readonly DoctorFinding[]): readonly DoctorFinding[] {
  const before = new Set(first.map(identity));
  return second.filter((finding) => before.has(identity(finding)));
}
