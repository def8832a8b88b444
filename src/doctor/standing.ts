import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { Phase } from "../cutover/phase.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Direction } from "../replication/direction.ts";
import { RETIRED } from "../replication/ledger.ts";
import { homeOf, presentName } from "../rules/rules-edits.ts";
import type { Facts, LedgerRow, ServerFacts } from "./facts.ts";

/** Where a migration's tables live by its journal, and what that implies for both servers. */
export interface Standing {
  readonly journal: MigrationDocument;
  readonly revision: number;
  readonly ended: boolean;
  /** `attended`: a switch is under way in a controller's hands, so all that it touches is in motion. */
  readonly attempt: "none" | "attended" | "unattended";
  /** Backends: where the tables are at home, and where the stream writes to. */
  readonly home: string;
  readonly other: string;
  /** The stream that follows the home. */
  readonly active: Direction;
  /** Where both answer and are the servers that the journal knows. */
  readonly homeServer: ServerFacts | undefined;
  readonly otherServer: ServerFacts | undefined;
  /** What the active stream's ledger must have begun under. */
  readonly startToken: string;
  /** Whether the active stream has been seen to run, so that its ledger must be there. */
  readonly begun: boolean;
}

/** By phase: which end is the home, where no attempt that has swapped says otherwise; and whether the copy is done. */
const PHASES: Readonly<
  Record<Phase, { readonly home: "source" | "target"; readonly begun: boolean; readonly ended: boolean }>
> = {
  created: { home: "source", begun: false, ended: false },
  copying: { home: "source", begun: false, ended: false },
  "catching-up": { home: "source", begun: true, ended: false },
  running: { home: "source", begun: true, ended: false },
  switching: { home: "source", begun: true, ended: false },
  switched: { home: "target", begun: true, ended: false },
  "rolling-back": { home: "target", begun: true, ended: false },
  completed: { home: "target", begun: false, ended: true },
  cancelled: { home: "source", begun: false, ended: true },
};

/** One of each migration whose journal can be read. */
export function standings(facts: Facts): readonly Standing[] {
  return facts.store.migrations
    .filter(({ document }) => Object.hasOwn(PHASES, document.phase))
    .map(({ document, revision }) => standing(facts, document, revision));
}

function standing(facts: Facts, journal: MigrationDocument, revision: number): Standing {
  const { home: end, begun, ended } = PHASES[journal.phase];
  const atSource = end === "source";
  const name = (backend: string): string =>
    ended && facts.store.rules !== undefined ? presentName(facts.store.rules.document, backend) : backend;
  const [home, other] = atSource ? [journal.source, journal.target] : [journal.target, journal.source];
  const [homeUuid, otherUuid] = atSource
    ? [journal.sourceUuid, journal.targetUuid]
    : [journal.targetUuid, journal.sourceUuid];
  const attended = facts.store.runners[journal.id] !== undefined;
  return {
    journal,
    revision,
    ended,
    attempt: journal.attempt === undefined ? "none" : attended ? "attended" : "unattended",
    home: name(home),
    other: name(other),
    active: atSource ? "forward" : "reverse",
    homeServer: serverOf(facts, home, homeUuid),
    otherServer: serverOf(facts, other, otherUuid),
    startToken: journal.fenceToken ?? "",
    begun,
  };
}

/** What a backend's server says; undefined where it does not answer, or is another than `uuid`. */
function serverOf(facts: Facts, backend: string, uuid: string): ServerFacts | undefined {
  const answer = answerOf(facts, backend);
  return answer !== undefined && (uuid === "" || answer.uuid === uuid) ? answer : undefined;
}

/** What a backend's server says; undefined where it does not answer. */
export function answerOf(facts: Facts, backend: string): ServerFacts | undefined {
  const answer = Object.hasOwn(facts.servers, backend) ? facts.servers[backend] : undefined;
  return answer === undefined || "unreachable" in answer ? undefined : answer;
}

/** The stream against the active one. */
export function inactiveOf({ active }: Standing): Direction {
  return active === "forward" ? "reverse" : "forward";
}

/** The rows of one ledger. */
export function ledgerOf(server: ServerFacts, migration: string, direction: Direction): readonly LedgerRow[] {
  return server.ledger.filter((row) => row.migration === migration && row.direction === direction);
}

/** What a ledger began under; undefined where it is not there. */
export function startTokenOf(rows: readonly LedgerRow[]): string | undefined {
  return rows.find(({ worker }) => worker === 0)?.startToken;
}

/** A GTID set as a server or a document has it; undefined where it is none. */
export function readGtids(text: string): GtidSet | undefined {
  try {
    return GtidSet.parse(text);
  } catch {
    return undefined;
  }
}

/** What `whole` lacks of `part`; undefined where it lacks nothing, or one of them cannot be read. */
export function lacking(whole: string, part: string): GtidSet | undefined {
  const [all, wanted] = [readGtids(whole), readGtids(part)];
  if (all === undefined || wanted === undefined) return undefined;
  const missing = wanted.subtract(all);
  return missing.isEmpty ? undefined : missing;
}

/** What shows that a migration's tables have moved at some time: ledgers begun by a switch, or retired by one. */
export function hasMoved(facts: Facts, migration: string): boolean {
  return Object.keys(facts.servers).some((backend) =>
    answerOf(facts, backend)?.ledger.some((row) => row.migration === migration && row.startToken !== ""),
  );
}

/**
 * Whether store and servers prove each other to be of one time, so that a repair may go by what the journal says: rules and
 * journal agree, both servers are those of the journal, the ledger of the stream that runs was begun by the journal's last
 * switch, and that of the other stream was retired by it. A store that was restored from before a switch meets a ledger
 * that this switch has retired; a server that was restored lacks the ledger or the cut.
 *
 * @param supposed what the ledger of the other stream is to be taken for, where it is the one in question
 */
export function isProven(facts: Facts, one: Standing, supposed?: string): boolean {
  const { journal, homeServer, otherServer } = one;
  const rules = facts.store.rules?.document;
  if (rules === undefined || facts.store.unreadable.length > 0) return false;
  if (one.ended || one.attempt !== "none" || homeServer === undefined || otherServer === undefined) return false;
  if (homeServer.uuid === otherServer.uuid || rules.generation < journal.generation) return false;
  if (journal.tables.some((table) => homeOf(rules, table) !== one.home)) return false;
  if (startTokenOf(ledgerOf(otherServer, journal.id, one.active)) !== one.startToken) return false;
  const against = supposed ?? startTokenOf(ledgerOf(homeServer, journal.id, inactiveOf(one)));
  const retired = journal.fenceToken === undefined ? against === undefined : against === RETIRED;
  return retired && lacking(otherServer.executed, journal.cutPosition ?? "") === undefined;
}
