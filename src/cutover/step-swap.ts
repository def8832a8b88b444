import { SwitchyardError } from "../base/errors.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { type Attempt, checkBudget, hasSwapped, newSession, oldSession } from "./attempt.ts";
import { decideInStore } from "./decide.ts";
import { migrationKey, type SwitchState, unchanged, withHistory } from "./journal.ts";
import type { MigrationDocument } from "./migration-document.ts";
import { requireNewHomeOpen } from "./new-home-open.ts";
import { swappedRules } from "./rules-changes.ts";
import { nextPhase } from "./transitions.ts";

/**
 * The switch: one store transaction moves the tables in the rules, removes hold and arming, and says so in the journal.
 *
 * Right before it is sent, a round trip on the fence's session proves that the old home has been locked until then.
 * It applies only if both documents are as read, with this attempt's hold still there: a proxy that gave the hold up,
 * or a controller that took over, has changed them.
 *
 * Before it is sent, the guards on the new home are lifted: a proxy's first client may be there before this controller
 * hears that the swap was applied.
 *
 * It is sent again only after a read that shows the hold and the attempt still standing. If the end of it cannot be
 * learned in time, this throws, and the abort decides: its own transaction under the revisions then read.
 */
export async function swap(attempt: Attempt): Promise<void> {
  const { ports, ends } = attempt;
  if (attempt.holdDeadline === undefined)
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a swap without a hold" });
  attempt.state = await decideInStore<SwitchState>(
    ports,
    ends.migration,
    (state) => {
      if (hasSwapped(state.migration.document, attempt.token)) return { done: state };
      requireHold(attempt, state);
      checkBudget(attempt);
      const rules = swappedRules(state.rules.document, ends, attempt.switchId);
      const migration = swappedJournal(attempt, state.migration.document, rules.generation);
      return {
        beforeWrite: () => readyToSwap(attempt),
        conditions: unchanged(state),
        writes: [
          { put: RULES_KEY, value: JSON.stringify(rules) },
          { put: migrationKey(ends.migration), value: JSON.stringify(migration) },
        ],
        written: (revision) => ({
          migration: { document: migration, revision },
          rules: { document: rules, revision },
        }),
      };
    },
    { deadline: attempt.holdDeadline, from: attempt.state },
  );
  attempt.swappedAtMs = ports.clock.monotonicMs();
}

/** What was proven is to be no older than this when the transaction is sent. */
const PROOF_AGE_MAX_MS = 5;

async function readyToSwap(attempt: Attempt): Promise<void> {
  const { monotonicMs } = attempt.ports.clock;
  let provenAtMs = 0;
  const prove = async (): Promise<void> => {
    provenAtMs = monotonicMs();
    await oldSession(attempt).prove();
  };
  await Promise.all([newSession(attempt).liftGuard(), requireNewHomeOpen(attempt), prove()]);
  // The last thing before the transaction: however long the other took, the old home has been locked until now.
  if (monotonicMs() - provenAtMs > PROOF_AGE_MAX_MS) await prove();
}

function requireHold(attempt: Attempt, state: SwitchState): void {
  const { ends, token } = attempt;
  const current = state.migration.document.attempt;
  if (current?.token !== token || current.state !== undefined) {
    throw new SwitchyardError("CUTOVER_SUPERSEDED", {
      what: `the attempt on migration "${ends.migration}" was ended by another controller`,
    });
  }
  if (state.rules.document.holds[ends.migration]?.token === token) return;
  throw new SwitchyardError("CUTOVER_HOLD_EXPIRED", {
    what: `a proxy gave up the hold of migration "${ends.migration}" because its time had run out`,
  });
}

function swappedJournal(attempt: Attempt, document: MigrationDocument, generation: number): MigrationDocument {
  const { ports, ends, token, cutPosition, switchId } = attempt;
  if (cutPosition === undefined) throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a swap without a position" });
  const next: MigrationDocument = {
    ...document,
    phase: nextPhase(
      ends.migration,
      document.phase,
      ends.kind === "switch" ? "switch-committed" : "rollback-committed",
    ),
    fenceToken: token,
    cutPosition,
    generation,
    switchId,
  };
  return withHistory(next, {
    at: ports.clock.now().toISOString(),
    who: attempt.options.who,
    what: `${ends.kind}: the tables are at home on ${ends.newHome}`,
    result: `rules generation ${generation}`,
  });
}
