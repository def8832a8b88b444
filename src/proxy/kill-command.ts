import { CAP, COM, hasFlag } from "../wire/capabilities.ts";
import { buildErr } from "../wire/err-packet.ts";
import { notOwner, notSupported } from "./client-errors.ts";
import { killStatement } from "./orphaned-statement.ts";
import type { Session } from "./session.ts";
import { relayReply, routeFreely } from "./simple-commands.ts";
import type { Work } from "./work.ts";

/** A connection of the victim's by which a server can judge whether it may be killed. */
interface Judge {
  readonly backend: string;
  readonly threadId: number;
}

/**
 * KILL of a session by the thread id that its client was greeted with. The backend of that greeting judges whether it
 * is allowed and does its part; then the statement is killed where it really is: on another backend, or in the
 * queue of a hold, where it goes unsent. A session of another worker or proxy is killed there, see `kill-relay.ts`.
 */
export async function runKill(
  session: Session,
  id: number,
  what: "query" | "connection",
  payload: Buffer,
): Promise<void> {
  const { byThread, traffic } = session.context;
  const victim = byThread.get(id);
  const judge = victim === undefined ? { backend: traffic.rules.default, threadId: id } : judgeOf(victim);
  if (judge === undefined) {
    if (victim !== undefined) killUnjudged(session, victim, what);
    return;
  }
  if (session.state.transaction.backend !== undefined && session.backends.get(judge.backend) === undefined) {
    const inside = "a KILL of a session of another server is not possible within a transaction";
    session.client.send(buildErr(notSupported(inside)));
    return;
  }
  const sent = judge.threadId === id ? payload : killText(session, what, judge.threadId);
  const work: Work = {
    kind: "kill",
    bytes: payload.length,
    timeLimitMs: 0,
    opens: false,
    readsInsertId: false,
    schema: () => undefined,
    route: () => ({ ...routeFreely(session), chooses: false, backend: judge.backend }),
    prepare: () => undefined,
    send: (backend, lazyFlags) => relayReply(session, backend, sent, lazyFlags),
    after: async (_, end) => {
      // Whoever ends its own session has its statement interrupted by that.
      const ownEnd = victim === session && what === "connection" && end.error?.errno === INTERRUPTED;
      if (end.error !== undefined && !ownEnd) return;
      if (victim === undefined) {
        if (what === "query" && mayBeElsewhere(session)) session.context.relayKill(id);
        return;
      }
      await killAt(victim, judge.backend);
      if (what === "connection") victim.disconnect({ source: "proxy", reason: "killed" });
    },
  };
  await session.perform(work);
}

/** Kills the statement of a session of this worker where it waits or runs, save on the backend that was told already. */
export async function killAt(victim: Session, told?: string): Promise<void> {
  if (victim.killHeld()) return;
  const { flight } = victim;
  if (flight === undefined || flight.backend === told) return;
  const connection = victim.backends.get(flight.backend)?.connection;
  if (connection !== undefined) await killStatement(victim.context, victim.applicant, connection);
}

/**
 * Whether the server that greeted a session still knows it by that id. A server that was started again counts threads from the
 * beginning: what it allows to be killed by this id by then is another session.
 */
export function isKnownByItsGreeting(victim: Session): boolean {
  return victim.backends.get(victim.loginBackend)?.connection.threadId === victim.threadId;
}

/** The backend of the greeting where it still knows the session by that id, else any that has it. */
function judgeOf(victim: Session): Judge | undefined {
  const all = victim.backends.all.map(({ name, connection }) => ({ backend: name, threadId: connection.threadId }));
  return all.find(({ threadId, backend }) => threadId === victim.threadId && backend === victim.loginBackend) ?? all[0];
}

/** A session that no server knows at the moment: by the rule of servers, its own user may kill it. */
function killUnjudged(session: Session, victim: Session, what: "query" | "connection"): void {
  if (victim.user !== session.user) {
    session.client.send(buildErr(notOwner(victim.threadId)));
    return;
  }
  if (what === "query") victim.killHeld();
  else victim.disconnect({ source: "proxy", reason: "killed" });
  session.answerOk();
}

/** Statements run or wait elsewhere than on the default backend only where tables have moved or are about to. */
function mayBeElsewhere(session: Session): boolean {
  const { rules } = session.context.traffic;
  if (Object.keys(rules.holds).length > 0) return true;
  return Object.values(rules.tables).some(({ to }) => to !== rules.default);
}

const INTERRUPTED = 1317;

const COMPUTED = /^\s*KILL\s+(?:(?:QUERY|CONNECTION)\s+)?(CONNECTION_ID\s*\(\s*\)|@[\w$.]+)\s*;?\s*$/i;
const COMPUTED_BYTES_MAX = 200;

/** The id that a KILL names by a user variable or by CONNECTION_ID(); undefined for any other expression. */
export async function computedId(session: Session, text: Buffer): Promise<number | undefined> {
  if (text.length > COMPUTED_BYTES_MAX) return undefined;
  const expression = COMPUTED.exec(text.toString("latin1"))?.[1];
  if (expression === undefined) return undefined;
  if (!expression.startsWith("@")) return session.threadId;
  const backend = session.backends.get(session.state.lastBackend);
  if (backend === undefined || !backend.connection.isFree) return undefined;
  if (session.backends.isBehind(backend, session.shared())) return undefined;
  const { rows } = await backend.connection.query(`SELECT ${expression}`);
  const value = rows[0]?.[0] ?? "";
  return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}

export function killText(session: Session, what: "query" | "connection", threadId: number): Buffer {
  const attributes = hasFlag(session.applicant.capabilities, CAP.QUERY_ATTRIBUTES);
  const head = Buffer.from(attributes ? [COM.QUERY, 0, 1] : [COM.QUERY]);
  return Buffer.concat([head, Buffer.from(`KILL ${what.toUpperCase()} ${threadId}`)]);
}
