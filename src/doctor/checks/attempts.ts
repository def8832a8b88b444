import { migrationKey } from "../../cutover/journal.ts";
import { withoutAttempt } from "../../cutover/rules-changes.ts";
import { serializeClaim } from "../../rules/claim-document.ts";
import { homeOf } from "../../rules/rules-edits.ts";
import { CLAIMS_PREFIX, RULES_KEY } from "../../rules/store-keys.ts";
import type { Facts } from "../facts.ts";
import { type DoctorFinding, found, type Repair } from "../finding.ts";
import type { Standing } from "../standing.ts";

/** The rules, the claims and the journal of one migration against each other. */
export function attemptFindings(facts: Facts, one: Standing): readonly DoctorFinding[] {
  return [...homes(facts, one), ...unattended(facts, one), ...phaseWithoutAttempt(one), ...claimsMissing(facts, one)];
}

function homes(facts: Facts, one: Standing): readonly DoctorFinding[] {
  const rules = facts.store.rules?.document;
  if (rules === undefined || one.attempt !== "none") return [];
  const { journal } = one;
  // A later migration may have moved on what an ended one has moved.
  const tables = one.ended
    ? journal.tables.filter((table) => rules.tables[table]?.migration === journal.id)
    : journal.tables;
  const elsewhere = tables.filter((table) => homeOf(rules, table) !== one.home);
  if (elsewhere.length === 0) return [];
  const seen = [...new Set(tables.map((table) => homeOf(rules, table)))].sort();
  const code = seen.length > 1 ? "homes-split" : "home-against-journal";
  return [
    found(code, {
      subject: `migration ${journal.id}`,
      observed: `the rules send ${elsewhere.join(", ")} to ${[...new Set(elsewhere.map((table) => homeOf(rules, table)))].join(", ")}`,
      expected: `${one.home}: the journal is in phase ${journal.phase}`,
      advice:
        "Keep clients from writing to these tables. The server that bears a fence is the one that they have left; restore the store from a backup of after the last switch.",
    }),
  ];
}

function unattended({ store }: Facts, one: Standing): readonly DoctorFinding[] {
  const { attempt } = one.journal;
  if (one.attempt !== "unattended" || attempt === undefined) return [];
  const swapped = one.journal.fenceToken === attempt.token;
  const state = swapped
    ? "has swapped the rules"
    : attempt.state === "aborting"
      ? "is being taken back"
      : "has not swapped";
  return [
    found("attempt-unattended", {
      subject: `migration ${one.journal.id}`,
      observed: `the ${attempt.kind} that ${attempt.who} began at ${attempt.startedAt} ${state}`,
      expected: "a controller that goes on with it",
      advice: store.live
        ? "Start a controller that has both backends; it settles the attempt by itself. Where one runs, its log says what keeps it."
        : "Start Switchyard: its controller settles the attempt by itself.",
    }),
  ];
}

function phaseWithoutAttempt({ journal }: Standing): readonly DoctorFinding[] {
  const between = journal.phase === "switching" || journal.phase === "rolling-back";
  const swapped = journal.attempt !== undefined && journal.attempt.token === journal.fenceToken;
  const goesOn = journal.attempt !== undefined && journal.attempt.state === undefined && !swapped;
  if (between === goesOn) return [];
  return [
    found("phase-without-attempt", {
      subject: `migration ${journal.id}`,
      observed: `phase ${journal.phase}, ${journal.attempt === undefined ? "no attempt" : `an attempt that ${swapped ? "has swapped" : (journal.attempt.state ?? "goes on")}`}`,
      expected: between ? "the attempt that the phase is of" : "the phase of the attempt",
      advice: "Restore the journal from a backup of the store together with the rules.",
    }),
  ];
}

function claimsMissing({ store }: Facts, { journal, ended, revision }: Standing): readonly DoctorFinding[] {
  if (ended) return [];
  const claims = new Map(store.claims.map((claim) => [claim.key, claim.migration]));
  const keys = [journal.sourceUuid, journal.targetUuid].flatMap((uuid) =>
    journal.tables.map((table) => `${CLAIMS_PREFIX}${uuid}/${table}`),
  );
  const damaged = new Set(store.unreadable.map(({ key }) => key));
  const missing = keys.filter((key) => !claims.has(key) && !damaged.has(key));
  const taken = keys.filter((key) => claims.has(key) && claims.get(key) !== journal.id);
  const findings: DoctorFinding[] = [];
  if (missing.length > 0) {
    findings.push(
      found("claim-missing", {
        subject: `migration ${journal.id}`,
        observed: `nothing under ${missing.join(", ")}`,
        expected: `a claim of ${journal.id}`,
        advice: "--fix claims them, if nobody else has meanwhile.",
        repair: {
          kind: "store",
          conditions: [
            { key: migrationKey(journal.id), revision },
            ...missing.slice(0, CHANGES_MAX).map((key) => ({ key, revision: 0 })),
          ],
          writes: missing.slice(0, CHANGES_MAX).map((key) => ({ put: key, value: serializeClaim(journal.id) })),
        },
      }),
    );
  }
  if (taken.length > 0) {
    findings.push(
      found("claim-of-another", {
        subject: `migration ${journal.id}`,
        observed: taken.map((key) => `${key} is of ${claims.get(key)}`).join(", "),
        expected: `claims of ${journal.id}`,
        advice: "Cancel the migration that should not have the table.",
      }),
    );
  }
  return findings;
}

/** Of one repair in the store; a second run does the rest. */
const CHANGES_MAX = 100;

/** Holds, armings, rules and claims whose migration is not about to need them. */
export function leftInStore(facts: Facts, known: ReadonlySet<string>): readonly DoctorFinding[] {
  return [...armings(facts), ...orphanClaims(facts, known), ...missingJournals(facts, known)];
}

function armings({ store }: Facts): readonly DoctorFinding[] {
  const { rules } = store;
  if (rules === undefined) return [];
  const journals = new Map(store.migrations.map((one) => [one.document.id, one]));
  const damaged = new Set(store.unreadable.map(({ key }) => key));
  const ids = new Set([...Object.keys(rules.document.holds), ...Object.keys(rules.document.armed)]);
  return [...ids].flatMap((id) => {
    if (damaged.has(migrationKey(id))) return [];
    const journal = journals.get(id);
    const token = journal?.document.attempt?.token;
    const [hold, armed] = [rules.document.holds[id], rules.document.armed[id]];
    const repair: Repair = {
      kind: "store",
      conditions: [
        { key: RULES_KEY, revision: rules.revision },
        { key: migrationKey(id), revision: journal?.revision ?? 0 },
      ],
      writes: [{ put: RULES_KEY, value: JSON.stringify(withoutAttempt(rules.document, id)) }],
    };
    const of = (what: string, its: string): Parameters<typeof found>[1] => ({
      subject: `migration ${id}`,
      observed: `${what} under attempt ${its}`,
      expected: token === undefined ? "none: the journal names no attempt" : `attempt ${token}`,
      advice:
        token === undefined
          ? "--fix takes hold and arming out of the rules; nothing is moved by it."
          : "The controller that settles the attempt takes both away.",
      repair: token === undefined ? repair : undefined,
    });
    return [
      ...(hold !== undefined && hold.token !== token ? [found("hold-without-attempt", of("a hold", hold.token))] : []),
      ...(armed !== undefined && armed.token !== token
        ? [found("arming-without-attempt", of("an arming", armed.token))]
        : []),
    ];
  });
}

function orphanClaims({ store }: Facts, known: ReadonlySet<string>): readonly DoctorFinding[] {
  const journals = new Map(store.migrations.map((one) => [one.document.id, one.document]));
  return store.claims.flatMap((claim) => {
    const { key, migration, revision } = claim;
    const subject = `claim of ${claim.table}`;
    const journal = journals.get(migration);
    if (journal === undefined) {
      if (known.has(migration)) return [];
      return [
        found("claim-orphan", {
          subject,
          observed: `${key} is of ${migration}, which has no journal`,
          expected: "a claim of an unfinished migration",
          advice: "--fix removes it. If the store was restored, restore the journal instead.",
          repair: {
            kind: "store",
            conditions: [
              { key, revision },
              { key: migrationKey(migration), revision: 0 },
            ],
            writes: [{ delete: key }],
          },
        }),
      ];
    }
    const ended = journal.phase === "completed" || journal.phase === "cancelled";
    const needed =
      !ended && journal.tables.includes(claim.table) && [journal.sourceUuid, journal.targetUuid].includes(claim.uuid);
    if (needed) return [];
    const command = journal.phase === "completed" ? "complete" : "cancel";
    return [
      found("claim-orphan", {
        subject,
        observed: `${key} is of ${migration}, which ${ended ? `is ${journal.phase}` : "does not move this table on this server"}`,
        expected: "a claim of an unfinished migration",
        advice: ended
          ? `\`switchyard migration ${command} ${migration}\` once more ends what was left.`
          : "--fix removes it.",
        repair: ended ? undefined : { kind: "store", conditions: [{ key, revision }], writes: [{ delete: key }] },
      }),
    ];
  });
}

function missingJournals({ store }: Facts, known: ReadonlySet<string>): readonly DoctorFinding[] {
  const rules = store.rules?.document;
  const tables = new Map<string, string[]>();
  for (const [table, { migration }] of Object.entries(rules?.tables ?? {})) {
    if (migration === "" || known.has(migration)) continue;
    tables.set(migration, [...(tables.get(migration) ?? []), table]);
  }
  return [...tables].map(([id, of]) =>
    found("journal-missing", {
      subject: `migration ${id}`,
      observed: `the rules have ${of.join(", ")} by it, at home on ${[...new Set(of.map((table) => rules?.tables[table]?.to))].join(", ")}`,
      expected: "its journal",
      advice: "The rules stay in force. Restore the journal from a backup of the store.",
    }),
  );
}
