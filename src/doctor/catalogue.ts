/** What the doctor knows of one state: how bad it is, what it means, and who can mend it. */
export interface StateKind {
  /** `error`: rows, clients or the way back are in danger. `warning`: something stands in the way, or was left behind. */
  readonly severity: "error" | "warning";
  /** What was found, in a few words. */
  readonly title: string;
  readonly why: string;
  /**
   * `fix`: `--fix` mends it, where the facts prove that this is safe. `command`: another command or process does. `person`:
   * nothing can be done without somebody who knows what happened.
   */
  readonly repair: "fix" | "command" | "person";
}

/** Every state that the doctor tells apart, in the order in which they are shown. `docs/doctor.md` explains the same ones. */
export const STATES = {
  // The store by itself.
  "document-unreadable": {
    severity: "error",
    title: "a document of the store cannot be read",
    why: "Whoever needs it stops. What else it would have said is not known, so nothing is repaired automatically.",
    repair: "person",
  },
  "key-unknown": {
    severity: "warning",
    title: "the store holds a key that no version of Switchyard writes",
    why: "Something else writes below the same prefix, or somebody wrote by hand; it is not read.",
    repair: "person",
  },
  "store-empty": {
    severity: "error",
    title: "the store is empty, and servers bear traces of migrations",
    why: "The store was lost or another one is configured: tables that had moved would be looked for at the default backend, where their rows are old.",
    repair: "person",
  },
  "store-elsewhere": {
    severity: "warning",
    title: "the other kind of store holds migrations as well",
    why: "A process that is started with the other `store:` would route and switch by old documents.",
    repair: "person",
  },
  "rules-missing": {
    severity: "error",
    title: "there are migrations and no routing rules",
    why: "A controller that starts would write first rules, which send every table to the default backend, moved ones too.",
    repair: "person",
  },
  "rules-older": {
    severity: "error",
    title: "the rules are older than what a journal or a proxy has seen",
    why: "The rules were restored from a backup: they may send tables to the home that they have left. Proxies that hold newer rules still route by these.",
    repair: "person",
  },
  "rules-of-another-switch": {
    severity: "error",
    title: "the rules bear another switch than the journals",
    why: "Rules and journals change in one transaction; one of them was restored or edited alone.",
    repair: "person",
  },
  "default-differs": {
    severity: "error",
    title: "`default:` of the configuration is not that of the rules",
    why: "No controller starts with it, and whoever reads the configuration looks for tables at the wrong server.",
    repair: "person",
  },
  "backend-unknown": {
    severity: "error",
    title: "the store names a backend that the configuration lacks",
    why: "Statements on its tables cannot be served, and its migrations stand still.",
    repair: "person",
  },
  "home-against-journal": {
    severity: "error",
    title: "the rules send a migration's tables elsewhere than its journal says",
    why: "Clients write where no stream follows, or to the server that the stream overwrites.",
    repair: "person",
  },
  "homes-split": {
    severity: "error",
    title: "tables of one migration have different homes",
    why: "A switch moves all of them or none; the rules were edited by hand.",
    repair: "person",
  },
  "journal-missing": {
    severity: "error",
    title: "the rules or claims name a migration that has no journal",
    why: "Nobody streams it, and it can be neither switched nor ended.",
    repair: "person",
  },
  "phase-without-attempt": {
    severity: "error",
    title: "a journal is in the middle of a switch that it does not name",
    why: "Nothing settles it, and every order is refused; the document was edited or restored.",
    repair: "person",
  },
  "attempt-unattended": {
    severity: "error",
    title: "a switch was begun and no controller has it in hand",
    why: "Its hold, its table locks or its fence may stand. The next controller to run the migration settles it, backwards or forwards.",
    repair: "command",
  },
  "hold-without-attempt": {
    severity: "error",
    title: "the rules hold tables for a switch that is not under way",
    why: "Statements on the tables wait until a proxy gives the hold up.",
    repair: "fix",
  },
  "arming-without-attempt": {
    severity: "warning",
    title: "the rules are armed for a switch that is not under way",
    why: "Proxies serve the tables by their leases alone: a store that is away would stop them. Another migration cannot arm the tables.",
    repair: "fix",
  },
  "claim-missing": {
    severity: "error",
    title: "a table of an unfinished migration is not claimed",
    why: "Another migration could take it, and drop or fence it.",
    repair: "fix",
  },
  "claim-of-another": {
    severity: "error",
    title: "a table of an unfinished migration is claimed by another one",
    why: "Two streams may write to it.",
    repair: "person",
  },
  "claim-orphan": {
    severity: "warning",
    title: "a claim is left of a migration that does not need it",
    why: "No other migration can move the table.",
    repair: "fix",
  },
  // Processes.
  "controller-absent": {
    severity: "error",
    title: "no controller runs, and migrations are unfinished",
    why: "Streams stand still, and the servers may purge the logs that they need.",
    repair: "command",
  },
  "migration-unattended": {
    severity: "warning",
    title: "controllers run, and none has this migration",
    why: "Its stream stands still. A controller takes it only if it has both of its backends.",
    repair: "command",
  },
  "order-waiting": {
    severity: "warning",
    title: "an order waits and nobody takes it",
    why: "Whoever gave it waits for an answer.",
    repair: "command",
  },
  "proxy-silent": {
    severity: "warning",
    title: "a proxy is registered and gives no sign of life",
    why: "It may still serve while it cannot reach the store, so it blocks every switch.",
    repair: "command",
  },
  "proxy-behind": {
    severity: "warning",
    title: "a living proxy works by older rules",
    why: "It blocks every switch. A proxy that stays behind cannot apply the rules; its log says why.",
    repair: "command",
  },
  "proxy-elsewhere": {
    severity: "error",
    title: "a proxy reaches another server under a backend's name",
    why: "Its clients read and write other rows than those that the streams follow; it blocks every switch.",
    repair: "person",
  },
  "stream-stopped": {
    severity: "error",
    title: "a stream has stopped with an error",
    why: "The other server falls behind, and the log that the stream needs will be purged.",
    repair: "command",
  },
  // Servers.
  "server-unreachable": {
    severity: "error",
    title: "a server does not answer",
    why: "What it bears is not known, so nothing that depends on it is repaired.",
    repair: "person",
  },
  "server-unseen": {
    severity: "warning",
    title: "the account may not ask a server everything",
    why: "States that would show there stay unseen.",
    repair: "person",
  },
  "server-changed": {
    severity: "error",
    title: "a backend leads to another server than the journal knows",
    why: "Its streams stand still, since nobody has proven that this server has the same history.",
    repair: "command",
  },
  "servers-same": {
    severity: "error",
    title: "both backends of a migration lead to one server",
    why: "A switch would fence the only copy of the tables.",
    repair: "person",
  },
  "home-read-only": {
    severity: "error",
    title: "a home refuses writes as a whole",
    why: "Clients' writes fail with 1290.",
    repair: "person",
  },
  "follower-read-only": {
    severity: "error",
    title: "the server that a stream writes to refuses every write",
    why: "The stream stands still with 1290.",
    repair: "person",
  },
  "tables-missing": {
    severity: "error",
    title: "a migration's table is not there",
    why: "Somebody dropped or renamed it, or the server was restored. Its stream cannot go on.",
    repair: "person",
  },
  "server-restored": {
    severity: "error",
    title: "a former home has lost transactions from before the switch",
    why: "It was restored from a backup: rows that the stream back counts on are gone, and a rollback would lose them.",
    repair: "person",
  },
  // Fences.
  "fence-on-home": {
    severity: "error",
    title: "the home of a migration's tables refuses their writes",
    why: "Clients' writes fail with 1644: triggers of an earlier switch stand where the tables live.",
    repair: "person",
  },
  "fence-missing": {
    severity: "error",
    title: "the server that is not the home does not refuse writes to a table",
    why: "Whoever goes past the proxies writes to a copy that nobody reads, and the stream overwrites it.",
    repair: "fix",
  },
  "fence-of-another-attempt": {
    severity: "error",
    title: "a fence was put up by a switch that the journal does not know",
    why: "Store and server are of different times: one of them was restored. The fence may be all that keeps two homes from taking writes.",
    repair: "person",
  },
  "fence-stops-stream": {
    severity: "error",
    title: "a fence does not let Switchyard's own account write",
    why: "The `user` of the backend was changed after the switch: the stream back fails with 1644.",
    repair: "person",
  },
  "fence-orphan": {
    severity: "error",
    title: "a fence is left of a migration that the store does not know",
    why: "Writes to the table fail with 1644. If the store was restored, the table may have moved; then the fence is right.",
    repair: "fix",
  },
  "guard-left": {
    severity: "warning",
    title: "guard triggers are left on a table",
    why: "Where the controller that left them has ended they refuse writes past the proxies for a quarter of an hour, and nothing then; but every write runs them in the name of Switchyard's account.",
    repair: "fix",
  },
  "session-left": {
    severity: "warning",
    title: "a session keeps a migration's lock and no switch runs",
    why: "It may lock the tables. It is left of a controller that died or was cut off.",
    repair: "fix",
  },
  // Ledgers and streams.
  "sidecar-foreign": {
    severity: "error",
    title: "the sidecar schema has a table that this version cannot read",
    why: "A newer version or somebody else made it; streams refuse to start.",
    repair: "person",
  },
  "sidecar-orphan": {
    severity: "warning",
    title: "the sidecar has rows of a migration that the store does not know",
    why: "A migration of the same name would take them for its own. If the store was restored, they are the proof of what it lost.",
    repair: "fix",
  },
  "sidecar-ended": {
    severity: "warning",
    title: "the sidecar has rows of a migration that has ended",
    why: "Its `complete` or `cancel` was not finished.",
    repair: "command",
  },
  "ledger-missing": {
    severity: "error",
    title: "the stream's ledger is not there",
    why: "What was applied is not known any more: the sidecar was dropped, or the server was restored from before the copy.",
    repair: "person",
  },
  "ledger-torn": {
    severity: "error",
    title: "the rows of a ledger disagree",
    why: "They change in one statement; somebody edited or restored some of them.",
    repair: "person",
  },
  "ledger-of-another-attempt": {
    severity: "error",
    title: "a ledger belongs to a switch that the journal does not know",
    why: "Store and server are of different times: one of them was restored. Going on could apply changes twice, or lose them.",
    repair: "person",
  },
  "ledger-sealed": {
    severity: "error",
    title: "the stream's ledger is sealed, and no switch is under way",
    why: "No controller can claim it again: the stream stands, or will when its connection is lost. A switch that died has left it, or a backup.",
    repair: "fix",
  },
  "ledger-open-twice": {
    severity: "error",
    title: "the stream that the tables have left is not retired",
    why: "A controller that wakes late could claim it and apply old changes over new rows.",
    repair: "fix",
  },
  "ledger-follows-another": {
    severity: "error",
    title: "the ledger names another server's transactions",
    why: "Its positions mean nothing on the server that is followed now.",
    repair: "command",
  },
  "followed-lost-writes": {
    severity: "error",
    title: "the server that a stream follows lacks transactions that were applied",
    why: "It was restored or failed over and lost them: the other server has rows that the home has not.",
    repair: "person",
  },
  "log-purged": {
    severity: "error",
    title: "the log that a stream needs is purged",
    why: "The stream can never go on from where it is.",
    repair: "person",
  },
  "applier-left": {
    severity: "warning",
    title: "a connection applies rows of a stream that should not run",
    why: "It is left of a controller that died. Its ledger stops it from committing; its row locks stay.",
    repair: "fix",
  },
} as const satisfies Record<string, StateKind>;

export type StateCode = keyof typeof STATES;

/** The kind of a state. */
export function stateKind(code: StateCode): StateKind {
  return STATES[code];
}
