import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { ArmedRule } from "../rules/rules-document.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { type Attempt, fenceOf } from "./attempt.ts";
import { decideInStore } from "./decide.ts";
import { migrationKey, type SwitchState, unchanged, withHistory } from "./journal.ts";
import type { MigrationDocument } from "./migration-document.ts";
import { armedRules } from "./rules-changes.ts";
import { endPinnedAfterMs } from "./switch-options.ts";
import { nextPhase } from "./transitions.ts";

const STORE_TIMEOUT_MS = 5000;

/**
 * Writes the attempt into the journal and arms the migration in the rules, in one transaction.
 *
 * From here on the attempt has a name in the store: whoever finds it there without its controller settles it. Nothing
 * is done to a server before this but to ask what stands behind its names: every proxy that has acknowledged the arming
 * knows views and routines as they are now.
 */
export async function arm(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  const behind = (await ports.namesBehind?.(ends)) ?? {};
  attempt.state = await decideInStore<SwitchState>(
    ports,
    ends.migration,
    (state) => {
      const current = state.migration.document.attempt;
      if (current?.token === token) return { done: state };
      if (current !== undefined) throw overtaken(ends.migration);
      const migration = armedJournal(attempt, state.migration.document);
      const rules = armedRules(state.rules.document, ends, { token, behind, ...endPinned(attempt) });
      return {
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
    { deadline: deadlineIn(ports.clock, STORE_TIMEOUT_MS) },
  );
}

/** Sessions that are pinned are ended by the proxies themselves, each by its own clock, where that was asked for. */
function endPinned({ options }: Attempt): Pick<ArmedRule, "endPinnedAfterMs"> {
  return options.pinned === "kill" ? { endPinnedAfterMs: endPinnedAfterMs(options.limits) } : {};
}

function armedJournal(attempt: Attempt, document: MigrationDocument): MigrationDocument {
  const { ports, options, ends, token } = attempt;
  const at = ports.clock.now().toISOString();
  const next: MigrationDocument = {
    ...document,
    phase: nextPhase(ends.migration, document.phase, ends.kind === "switch" ? "switch-armed" : "rollback-armed"),
    attempt: {
      token,
      kind: ends.kind,
      startedAt: at,
      who: options.who,
      ...(options.fence === undefined ? {} : { fence: options.fence }),
      ...(document.fenceToken === undefined ? {} : { feedingToken: document.fenceToken }),
    },
  };
  const reason = options.reason ?? options.force;
  const fence = fenceOf(options);
  const how = [...(options.force === undefined ? [] : ["--force"]), ...(fence === "lock" ? [] : [`--fence=${fence}`])];
  return withHistory(next, {
    at,
    who: options.who,
    what: `${ends.kind} from ${ends.oldHome} to ${ends.newHome} began${how.length === 0 ? "" : ` with ${how.join(" and ")}`}`,
    ...(reason === undefined ? {} : { reason }),
  });
}

function overtaken(migration: string): SwitchyardError {
  return new SwitchyardError("CUTOVER_SUPERSEDED", {
    what: `another attempt on migration "${migration}" has begun in the meantime`,
    changed: "Nothing was changed by this one.",
  });
}
