import { GtidSet } from "../../gtid/gtid-set.ts";
import { RETIRED } from "../../replication/ledger.ts";
import type { Facts, LedgerRow, ServerFacts } from "../facts.ts";
import { type DoctorFinding, found } from "../finding.ts";
import { inactiveOf, isProven, lacking, ledgerOf, readGtids, type Standing, startTokenOf } from "../standing.ts";

/** Characters of a GTID set that are shown. */
const GTIDS_SHOWN = 120;

/** The ledgers of an unfinished migration against its journal, and against the log of the server that is followed. */
export function ledgerFindings(facts: Facts, one: Standing): readonly DoctorFinding[] {
  if (one.ended || one.attempt !== "none") return [];
  const { otherServer, homeServer } = one;
  const rows = otherServer === undefined ? [] : ledgerOf(otherServer, one.journal.id, one.active);
  return [
    ...(otherServer === undefined ? [] : activeLedger(one, otherServer, rows)),
    ...(otherServer === undefined ? [] : sealedLedger(facts, one, otherServer, rows)),
    ...(homeServer === undefined ? [] : inactiveLedger(facts, one, homeServer)),
    ...(homeServer === undefined || otherServer === undefined ? [] : againstLog(one, homeServer, otherServer, rows)),
    ...(otherServer === undefined ? [] : restored(one, otherServer)),
    ...stopped(facts, one),
  ];
}

function activeLedger(one: Standing, server: ServerFacts, rows: readonly LedgerRow[]): readonly DoctorFinding[] {
  const { journal, active, other, startToken } = one;
  const subject = `${active} stream of ${journal.id} on ${other}`;
  if (server.unseen.includes("sidecar")) return [];
  const token = startTokenOf(rows);
  if (token === undefined) {
    if (!one.begun) return [];
    return [
      found("ledger-missing", {
        subject,
        observed: rows.length === 0 ? "no rows in _switchyard.ledger" : "no base row in _switchyard.ledger",
        expected: "what the stream has applied so far",
        advice:
          active === "forward"
            ? `Restore the sidecar together with the tables, or give the migration up (\`switchyard migration cancel ${journal.id}\`) and create it again.`
            : `There is no way back by this migration: do not roll back. Restore ${other} to a state with the sidecar, or complete the migration.`,
      }),
    ];
  }
  const findings: DoctorFinding[] = [];
  if (new Set(rows.map(({ epoch }) => epoch)).size > 1) {
    findings.push(
      found("ledger-torn", {
        subject,
        observed: `rows of epochs ${[...new Set(rows.map(({ epoch }) => epoch))].join(", ")}`,
        expected: "one epoch",
        advice: "Find out who wrote to the sidecar. Compare both sides by `switchyard diff start` before any switch.",
      }),
    );
  }
  if (token !== startToken) {
    findings.push(
      found("ledger-of-another-attempt", {
        subject,
        observed:
          token === RETIRED
            ? "the ledger was retired by a later switch"
            : `begun by attempt ${token || "none: it has copied"}`,
        expected: startToken === "" ? "the ledger of the first copy" : `begun by attempt ${startToken}`,
        advice: `The store or ${other} was restored from a backup. Stop the controllers, keep every fence, and restore the store to what it was after the last switch, or find the newest rows by hand.`,
      }),
    );
  }
  return findings;
}

/**
 * A seal stands only while the journal names its attempt. A switch that has swapped would have retired the ledger, or be the
 * journal's last, and have fenced the home: where store and servers are of one time, the attempt was aborted.
 */
function sealedLedger(
  facts: Facts,
  one: Standing,
  server: ServerFacts,
  rows: readonly LedgerRow[],
): readonly DoctorFinding[] {
  const { journal, active, other } = one;
  const sealedBy = rows.find(({ worker }) => worker === 0)?.sealedBy ?? "";
  const token = startTokenOf(rows);
  if (sealedBy === "" || token === undefined || token === RETIRED) return [];
  const fenced = one.homeServer === undefined || isFenced(one, one.homeServer);
  const safe = !fenced && sealedBy !== journal.fenceToken && isProven(facts, one);
  return [
    found("ledger-sealed", {
      subject: `${active} stream of ${journal.id} on ${other}`,
      observed: `sealed by the switch or rollback ${sealedBy}`,
      expected: "no seal: the journal names no attempt",
      advice: safe
        ? `--fix takes it off, as the attempt's abort would have; \`switchyard migration resume ${journal.id}\` if the stream has stopped.`
        : "Store and servers do not prove that this attempt has moved nothing: find the newest rows first.",
      repair: safe
        ? {
            kind: "unseal-ledger",
            direction: active,
            token,
            attempt: sealedBy,
            backend: other,
            uuid: server.uuid,
            migration: journal.id,
          }
        : undefined,
    }),
  ];
}

/** The ledger of the stream to the home: there is none before a first switch, and a retired one after each. */
function inactiveLedger(facts: Facts, one: Standing, server: ServerFacts): readonly DoctorFinding[] {
  const { journal, home } = one;
  const direction = inactiveOf(one);
  const token = startTokenOf(ledgerOf(server, journal.id, direction));
  const moved = journal.fenceToken !== undefined;
  if (token === (moved ? RETIRED : undefined) || server.unseen.includes("sidecar")) return [];
  const subject = `${direction} stream of ${journal.id} on ${home}`;
  if (token === undefined) {
    return [
      found("ledger-missing", {
        subject,
        observed: "no rows in _switchyard.ledger",
        expected: "what the last switch has retired",
        advice: `Somebody dropped the sidecar of ${home}, or the migration was completed and the store restored since. Find out which before any switch.`,
      }),
    ];
  }
  if (!moved) {
    return [
      found("ledger-of-another-attempt", {
        subject,
        observed: token === RETIRED ? "a ledger that a switch has retired" : `a ledger begun by attempt ${token}`,
        expected: "none: the journal knows of no switch",
        advice: `The store was restored from before a switch. Stop the controllers and restore a newer backup, or find the newest rows by hand.`,
      }),
    ];
  }
  const safe = isRetiredInVain(facts, one, server);
  return [
    found("ledger-open-twice", {
      subject,
      observed: `open, begun by ${token === "" ? "the first copy" : `attempt ${token}`}, while the ${one.active} stream is in force`,
      expected: "retired since the switch",
      advice: safe
        ? "--fix retires it, as the switch would have."
        : "Store and servers do not prove which stream is in force: find the newest rows first.",
      repair: safe
        ? { kind: "retire-ledger", direction, token, backend: home, uuid: server.uuid, migration: journal.id }
        : undefined,
    }),
  ];
}

/**
 * Whether all but this ledger says that its stream was retired. A switch that the store has lost would have put a fence up
 * here, before its stream began.
 */
function isRetiredInVain(facts: Facts, one: Standing, server: ServerFacts): boolean {
  return !isFenced(one, server) && isProven(facts, one, RETIRED);
}

function isFenced({ journal }: Standing, server: ServerFacts): boolean {
  return server.triggers.some(({ migration, kind }) => migration === journal.id && kind === "fence");
}

/** What the ledger says was applied must be in the log of the server that is followed, and what is not must still be there. */
function againstLog(
  one: Standing,
  home: ServerFacts,
  other: ServerFacts,
  rows: readonly LedgerRow[],
): readonly DoctorFinding[] {
  const { journal, active } = one;
  if (rows.length === 0 || startTokenOf(rows) !== one.startToken) return [];
  const subject = `${active} stream of ${journal.id}, which follows ${one.home}`;
  const source = rows.find(({ worker }) => worker === 0)?.sourceUuid ?? "";
  if (source !== "" && source !== home.uuid) {
    return [
      found("ledger-follows-another", {
        subject,
        observed: `the ledger's transactions are those of server_uuid ${source}`,
        expected: home.uuid,
        advice: "If a replica has taken the server's place, prove and accept it with `switchyard migration repoint`.",
      }),
    ];
  }
  const findings: DoctorFinding[] = [];
  const applied = union(rows.map(({ gtids }) => gtids));
  const snapshots = active === "forward" ? (other.snapshots[journal.id] ?? []) : [];
  const lost = lacking(home.executed, union([applied, ...snapshots]));
  if (lost !== undefined) {
    findings.push(
      found("followed-lost-writes", {
        subject,
        observed: `${one.home} lacks ${shown(lost.toString())}, which ${one.other} has`,
        expected: "all that was applied",
        advice: `Compare both sides (\`switchyard diff start ${journal.id}\`), and decide which rows are to stay before anything moves.`,
      }),
    );
  }
  const purged = lacking(union([applied, ...snapshots]), home.purged);
  if (purged !== undefined && one.begun) {
    findings.push(
      found("log-purged", {
        subject,
        observed: `${one.home} has purged ${shown(purged.toString())}, which was not applied`,
        expected: "a log that reaches back to what was applied last",
        advice:
          active === "forward"
            ? `Give the migration up (\`switchyard migration cancel ${journal.id}\`) and create it again.`
            : "There is no way back any more: complete the migration. A rollback would lose writes.",
      }),
    );
  }
  return findings;
}

function restored({ journal, other }: Standing, server: ServerFacts): readonly DoctorFinding[] {
  const missing = lacking(server.executed, journal.cutPosition ?? "");
  if (missing === undefined) return [];
  return [
    found("server-restored", {
      subject: `migration ${journal.id} on ${other}`,
      observed: `gtid_executed lacks ${shown(missing.toString())}`,
      expected: "all that was there at the last switch",
      advice: `Do not switch back to ${other}: its rows are of before the switch. Complete the migration, or restore ${other} to a state after it.`,
    }),
  ];
}

function stopped({ store }: Facts, { journal, active }: Standing): readonly DoctorFinding[] {
  const error = journal.streams[active]?.error;
  if (error === undefined || !store.live) return [];
  return [
    found("stream-stopped", {
      subject: `${active} stream of ${journal.id}`,
      observed: error.split("\n")[0] ?? "",
      expected: "a stream that runs",
      advice: `Mend what the error names, then \`switchyard migration resume ${journal.id}\`.`,
    }),
  ];
}

function union(sets: readonly string[]): string {
  return sets.reduce((all, set) => all.union(readGtids(set) ?? GtidSet.empty), GtidSet.empty).toString();
}

function shown(gtids: string): string {
  return gtids.length > GTIDS_SHOWN ? `${gtids.slice(0, GTIDS_SHOWN)}…` : gtids;
}
