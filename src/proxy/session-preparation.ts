import { isSwitchyardError } from "../base/errors.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { backendLost, insertIdLost, notSupported } from "./client-errors.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import type { Route } from "./statement-route.ts";
import { assignmentsOf, readingOf } from "./user-variables.ts";
import type { Work } from "./work.ts";

/**
 * The next thing that must happen at the backend before the statement itself may be sent, begun in this very call;
 * undefined when there is none. After each such step the statement is judged anew, since rules may have changed.
 */
export function nextPreparation(
  session: Session,
  work: Work,
  route: Route,
): Promise<ErrPacket | undefined> | undefined {
  const backend = session.backends.get(route.backend);
  if (backend === undefined) return openBackend(session, route.backend);
  const step =
    readVariables(session, backend) ??
    session.backends.bringUpToDate(backend, session.shared(work.schema(backend))) ??
    carryInsertId(session, work, backend) ??
    (route.chooses || work.kind === "begin" ? openTransaction(session, work, backend) : undefined) ??
    work.prepare(backend) ??
    tellOutcome(session, work, backend);
  return step === undefined ? undefined : unlessLost(session, step, backend);
}

/** What statements have assigned at the backend that the session leaves is read there, and is told to this one next. */
function readVariables(session: Session, backend: SessionBackend): Promise<ErrPacket | undefined> | undefined {
  const { settings } = session.state;
  if (backend.settings === settings.serial) return undefined;
  const unread = settings.unreadElsewhere(backend.name);
  if (unread === undefined) return undefined;
  const from = session.backends.get(unread.backend);
  if (from === undefined) return Promise.resolve(backendLost(unread.backend));
  return (async () => {
    const { names } = unread;
    const statements = assignmentsOf(names, await from.connection.query(readingOf(names)));
    if ("no" in statements) {
      return notSupported(`this session cannot go from ${from.name} to ${backend.name}: ${statements.no}`);
    }
    for (const [index, name] of names.entries()) settings.learned(name, statements[index] ?? "");
    return undefined;
  })();
}

/** No login competes with a switch: while a hold is in force, the caller waits for its end and judges anew. */
function openBackend(session: Session, name: string): Promise<ErrPacket | undefined> {
  if (session.context.traffic.holds.size > 0) return Promise.resolve(undefined);
  return session.backends.open(
    name,
    () => session.applicant,
    () => session.shared(),
  );
}

/** SET TRANSACTION, BEGIN and savepoints that the client has sent before any backend was chosen. */
function openTransaction(
  session: Session,
  work: Work,
  backend: SessionBackend,
): Promise<ErrPacket | undefined> | undefined {
  const { state } = session;
  if (state.transaction.mayFollow && state.transaction.backend !== backend.name) return leaveUnused(session);
  const [oneShot] = state.oneShot;
  if (oneShot !== undefined) {
    state.oneShot = state.oneShot.slice(1);
    state.oneShotSent = work.kind === "begin" ? [...state.oneShotSent, oneShot] : [];
    return tell(backend, [oneShot]);
  }
  if (!state.transaction.isLazy) return undefined;
  const { opening } = state.transaction;
  // Open from this turn on: its BEGIN is on its way.
  state.transaction.opened(backend.name);
  return tell(backend, opening).then((problem) => {
    if (problem !== undefined) state.transaction.ended();
    return problem;
  });
}

/** A transaction that has used nothing where it is open is ended there, to be begun where it is needed. */
async function leaveUnused(session: Session): Promise<undefined> {
  const { transaction } = session.state;
  const left = session.backends.get(transaction.backend ?? "");
  transaction.follow();
  await left?.connection.rollBack();
  return undefined;
}

/** LAST_INSERT_ID() goes along when a statement that may ask for it goes elsewhere than the insert before. */
function carryInsertId(
  session: Session,
  work: Work,
  backend: SessionBackend,
): Promise<ErrPacket | undefined> | undefined {
  const { insertBackend } = session.state;
  if (!work.readsInsertId || insertBackend === undefined || insertBackend === backend.name) return undefined;
  const from = session.backends.get(insertBackend);
  // Only an error is true: another connection would answer with 0.
  if (from === undefined) return Promise.resolve(insertIdLost());
  return (async () => {
    const answer = await from.connection.query("SELECT LAST_INSERT_ID() LIMIT 1");
    const value = answer.rows[0]?.[0];
    session.state.insertBackend = backend.name;
    if (value === undefined || value === null) return undefined;
    return tell(backend, [`SET SESSION last_insert_id = ${value}`]);
  })();
}

/**
 * A statement that asks how the one before it went, of a server that does not know of that one: an OK leaves no warnings
 * and no rows, an error is what SHOW WARNINGS shows then.
 */
function tellOutcome(session: Session, work: Work, backend: SessionBackend): Promise<undefined> | undefined {
  const answered = work.readsOutcome === true ? session.answeredHere : undefined;
  if (answered === undefined) return undefined;
  session.answered.told();
  const sql = answered.error === undefined ? "DO 0" : signalling(answered.error);
  return backend.connection.query(sql).then(() => undefined);
}

/** A server takes a message of this length at most. */
const MESSAGE_CHARACTERS_MAX = 128;

/** Raises the error at a server. Its text is written so that it reads alike in every mode and character set. */
function signalling({ errno, sqlState, message }: ErrPacket): string {
  const text = message
    .slice(0, MESSAGE_CHARACTERS_MAX)
    .replaceAll(/[^\x20-\x7e]|\\/g, "?")
    .replaceAll("'", "''");
  return `SIGNAL SQLSTATE '${sqlState}' SET MYSQL_ERRNO = ${errno}, MESSAGE_TEXT = '${text}'`;
}

async function tell(backend: SessionBackend, statements: readonly (string | Buffer)[]): Promise<ErrPacket | undefined> {
  for (const statement of statements) {
    const answer = await backend.connection.query(statement);
    if (answer.error !== undefined) return answer.error;
  }
  return undefined;
}

/** Nothing of the client's own had been sent, so a lost connection is an error like any other. */
async function unlessLost(
  session: Session,
  step: Promise<ErrPacket | undefined>,
  backend: SessionBackend,
): Promise<ErrPacket | undefined> {
  try {
    return await step;
  } catch (error) {
    if (!isSwitchyardError(error, "PROXY_BACKEND_LOST")) throw error;
    session.disconnect({ source: "backend", reason: "lost" }, backendLost(backend.name));
    throw error;
  }
}
