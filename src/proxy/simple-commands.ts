import type { StatementFacts, TableRef } from "../sql/statement.ts";
import { COM } from "../wire/capabilities.ts";
import { learnServer } from "./learn-server.ts";
import type { PacketEdit, ReplyEnd } from "./reply-jobs.ts";
import { withStatus } from "./reply-jobs.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import { type Route, routePacket } from "./statement-route.ts";
import type { Work } from "./work.ts";

/** Relays a reply; where a transaction has begun that no server knows of, its flags are shown in the status. */
export function relayReply(
  session: Session,
  backend: SessionBackend,
  payload: Buffer,
  lazyFlags: number,
  before: readonly Buffer[] = [],
): Promise<ReplyEnd> {
  if (lazyFlags === 0) return backend.connection.relay(payload, session.client, before);
  const edit: PacketEdit = (kind, packet) => withStatus(packet, kind, lazyFlags);
  return backend.connection.relayEdited(payload, session.client, edit, before);
}

/** Where a command goes that names no table. */
export function routeFreely(session: Session): Route {
  return routePacket({ facts: [], decisions: [] }, routeContext(session, []));
}

/** As {@link routeFreely}, and to the backend of the last statement: replies tell how many warnings that had. */
function routeOnwards(session: Session): Route {
  const context = routeContext(session, []);
  const { lastBackend } = context;
  const defaultBackend = session.backends.get(lastBackend) === undefined ? context.defaultBackend : lastBackend;
  return routePacket({ facts: [], decisions: [] }, { ...context, defaultBackend });
}

/** What of the session decides on the routes of its packets. */
export function routeContext(
  session: Session,
  temporaryBackends: readonly string[],
): Parameters<typeof routePacket>[1] {
  const { state } = session;
  return {
    defaultBackend: session.context.traffic.rules.default,
    lastBackend: state.lastBackend,
    transaction: state.transaction.backend,
    pinned: state.pins.first,
    temporaryBackends,
  };
}

/** A command without a statement in it. */
function commandWork(session: Session, payload: Buffer, after?: Work["after"], route?: () => Route): Work {
  return {
    kind: "command",
    bytes: payload.length,
    timeLimitMs: 0,
    opens: false,
    readsInsertId: false,
    schema: () => session.state.names.schema,
    route: route ?? (() => routeOnwards(session)),
    prepare: () => undefined,
    send: (backend, lazyFlags) => relayReply(session, backend, payload, lazyFlags),
    ...(after === undefined ? {} : { after }),
  };
}

/** PING and STATISTICS: answered by the backend that the session is at. */
export async function relayPlain(session: Session, payload: Buffer): Promise<void> {
  // A PING tells how many warnings the statement before has left.
  await session.perform({ ...commandWork(session, payload), readsOutcome: payload[0] === COM.PING });
}

/** A statement about the session that this backend has to answer, wherever a transaction is open. */
export async function relayTo(session: Session, payload: Buffer, backend: string): Promise<void> {
  const route = (): Route => ({ ...routeFreely(session), backend });
  await session.perform(commandWork(session, payload, undefined, route));
}

/** COM_INIT_DB: the backends that did not hear it are told before their next statement. */
export async function changeSchema(session: Session, payload: Buffer): Promise<void> {
  const schema = payload.toString("utf8", 1);
  const work = commandWork(session, payload, async (backend, end) => {
    if (end.error !== undefined) return;
    backend.schema = schema;
    session.state.names.use(schema);
  });
  // Leaving a schema must not need it: it may have been dropped.
  await session.perform({ ...work, schema: () => undefined });
}

/** COM_SET_OPTION turns several statements in one text on and off. */
export async function setOption(session: Session, payload: Buffer): Promise<void> {
  const option = payload.length >= 3 ? payload.readUInt16LE(1) : 0;
  const work = commandWork(session, payload, async (backend, end) => {
    if (end.error !== undefined) return;
    session.state.option = option;
    backend.option = option;
  });
  await session.perform(work);
}

/** COM_FIELD_LIST names a table, and is routed by it. */
export async function fieldList(session: Session, payload: Buffer): Promise<void> {
  const end = payload.indexOf(0, 1);
  const table = payload.toString("utf8", 1, end < 0 ? payload.length : end);
  const route = (): Route => {
    const { state } = session;
    const ref: TableRef = { table, write: false };
    const facts: StatementFacts = {
      kind: "show",
      start: 0,
      end: 0,
      tables: [ref],
      touchesEverything: false,
      readOnly: true,
      causesImplicitCommit: false,
      locksUserLevel: false,
      effects: [],
    };
    const { routing } = state;
    const judgement = { facts: [facts], decisions: [routing.decide(facts, state.names.scope)] };
    return routePacket(judgement, routeContext(session, state.names.temporaryBackends(facts, routing)));
  };
  await session.perform(commandWork(session, payload, undefined, route));
}

/** COM_RESET_CONNECTION goes to every backend of the session; the client hears the answer of one. */
export async function resetConnection(session: Session, payload: Buffer): Promise<void> {
  const here = routeOnwards(session).backend;
  for (const backend of session.backends.all) {
    if (backend.name === here) continue;
    const answer = await backend.connection.own(Buffer.from([COM.RESET_CONNECTION]));
    if (answer.error !== undefined) backend.connection.destroy("it could not be reset");
  }
  session.state.transaction.ended();
  const work = commandWork(session, payload, async () => {
    const known = session.state.settings.wasReset;
    session.state.reset("reset");
    for (const backend of session.backends.all) {
      backend.settings = session.state.settings.serial;
      backend.option = undefined;
    }
    // The server has its own defaults now, not what the login asked for. They are the same after each reset.
    if (!known) await learnServer(session.context, session);
    session.context.arming.changed(session);
  });
  await session.perform({ ...work, route: () => ({ ...routeOnwards(session), backend: here }) });
}
