import { guardLock } from "../../cutover/fence-triggers.ts";
import { lockName } from "../../cutover/migration-lock.ts";
import { isAtWork } from "../at-work.ts";
import type { Facts, ServerFacts } from "../facts.ts";
import { type DoctorFinding, found, type OnServer } from "../finding.ts";
import { answerOf, hasMoved, type Standing } from "../standing.ts";

/** What a controller that died, or an end that was not finished, has left on the servers: rows, sessions, connections. */
export function leftOnServers(
  facts: Facts,
  all: readonly Standing[],
  known: ReadonlySet<string>,
): readonly DoctorFinding[] {
  const byId = new Map(all.map((one) => [one.journal.id, one]));
  return Object.keys(facts.servers).flatMap((backend) => {
    const server = answerOf(facts, backend);
    if (server === undefined) return [];
    const where = (migration: string): OnServer => ({ backend, uuid: server.uuid, migration });
    const look: Look = { facts, server, byId, known, where };
    return [...sidecarRows(look), ...sessions(look), ...appliers(look)];
  });
}

/** One server, and what the store knows of the migrations that have left something there. */
interface Look {
  readonly facts: Facts;
  readonly server: ServerFacts;
  readonly byId: ReadonlyMap<string, Standing>;
  readonly known: ReadonlySet<string>;
  readonly where: (migration: string) => OnServer;
}

function sidecarRows({ facts, server, byId, known, where }: Look): readonly DoctorFinding[] {
  // A write to a replica would be a transaction that its source has not.
  if (server.replica) return [];
  return server.traces.flatMap((id) => {
    const one = byId.get(id);
    const { backend } = where(id);
    if (one === undefined) {
      if (known.has(id)) return [];
      const kept = whyKept(facts, id);
      return [
        found("sidecar-orphan", {
          subject: `migration ${id} on ${backend}`,
          observed: "rows in the sidecar",
          expected: "rows of migrations that the store knows",
          advice:
            kept === undefined
              ? "Nothing else is left of the migration: --fix removes the rows. If the store was restored, restore a newer backup instead."
              : `${kept}: keep the rows, they show what has happened.`,
          repair: kept === undefined ? { kind: "drop-sidecar-rows", ...where(id) } : undefined,
        }),
      ];
    }
    if (!one.ended) return [];
    const command = one.journal.phase === "completed" ? "complete" : "cancel";
    return [
      found("sidecar-ended", {
        subject: `migration ${id} on ${backend}`,
        observed: `rows in the sidecar, while the migration is ${one.journal.phase}`,
        expected: "none",
        advice: `\`switchyard migration ${command} ${id}\` once more ends what was left.`,
      }),
    ];
  });
}

/** What else is left of a migration without a journal; undefined where nothing is. */
function whyKept(facts: Facts, id: string): string | undefined {
  const { store } = facts;
  if (store.migrations.length === 0) return "The store knows of no migration at all, so it may be the wrong one";
  if (store.unreadable.length > 0) return "A document of the store cannot be read";
  if (store.otherTraces.includes(id)) return "The store keeps orders or a diff of it";
  if (store.claims.some(({ migration }) => migration === id)) return "The store has claims of it";
  if (Object.values(store.rules?.document.tables ?? {}).some(({ migration }) => migration === id)) {
    return "The rules name it";
  }
  if (hasMoved(facts, id)) return "Its ledgers show that its tables have moved";
  for (const backend of Object.keys(facts.servers)) {
    const server = answerOf(facts, backend);
    if (server === undefined) return `${backend} cannot be asked`;
    const [unseen] = server.unseen;
    if (unseen !== undefined) return `Our account may not see the ${unseen} of ${backend}`;
    if (server.triggers.some(({ migration }) => migration === id)) return `Its triggers stand on ${backend}`;
    // Another installation, with a store of its own, may move tables through the same server.
    if (server.appliers.some(({ stream }) => stream.startsWith(`${id}/`))) return `A stream of it writes to ${backend}`;
    if (server.locks.some(({ name }) => name === lockName(id) || name === guardLock(id))) {
      return `A session works on it on ${backend}`;
    }
  }
  return undefined;
}

function sessions({ facts, server, byId, known, where }: Look): readonly DoctorFinding[] {
  return server.locks.flatMap(({ name, connectionId, user }) => {
    const id = name.slice(name.indexOf(":") + 1);
    if (name !== lockName(id) && name !== guardLock(id)) return [];
    if (byId.get(id)?.attempt !== "none" && (byId.has(id) || known.has(id))) return [];
    // What `cancel` drops and `complete` takes off can take long, after the journal says that they are done.
    if (isAtWork(facts.store, id)) return [];
    const place = where(id);
    return [
      found("session-left", {
        subject: `migration ${id} on ${place.backend}`,
        observed: `connection ${connectionId} of ${user} holds ${name}`,
        expected: "nobody while no switch, cancel or complete is under way",
        ...endIt(byId.has(id), connectionId, "--fix ends it, if it still holds the lock then."),
        ...(byId.has(id) ? { repair: { kind: "kill", connectionId, lock: name, ...place } } : {}),
      }),
    ];
  });
}

function appliers({ server, byId, known, where }: Look): readonly DoctorFinding[] {
  return server.appliers.flatMap(({ stream, connectionId }) => {
    const [id = "", direction] = stream.split("/");
    const one = byId.get(id);
    if (one === undefined ? known.has(id) : one.attempt !== "none") return [];
    if (one !== undefined && !one.ended && one.active === direction) return [];
    const place = where(id);
    return [
      found("applier-left", {
        subject: `${direction} stream of ${id} on ${place.backend}`,
        observed: `connection ${connectionId}`,
        expected: one === undefined || one.ended ? "none: the migration has ended" : `only the ${one.active} stream`,
        ...endIt(one !== undefined, connectionId, "--fix ends it."),
        ...(one === undefined ? {} : { repair: { kind: "kill", connectionId, ...place } }),
      }),
    ];
  });
}

/** A migration that this store does not know may be one of another installation, and alive. */
function endIt(known: boolean, connectionId: string, fix: string): { readonly advice: string } {
  const byHand = `KILL ${connectionId};`;
  return {
    advice: known
      ? `${fix} By hand: ${byHand}`
      : `Unless another installation of Switchyard has a migration of that name here, end it by hand: ${byHand}`,
  };
}
