import { SwitchyardError } from "../base/errors.ts";
import type { StatementFacts } from "../sql/statement.ts";
import { COM, STATUS } from "../wire/capabilities.ts";
import { buildErr, type ErrPacket } from "../wire/err-packet.ts";
import { longDataTooLarge, noCursor, tooManyPrepared, unknownStatement } from "./client-errors.ts";
import { asGreeted, payloadAsGreeted } from "./connection-id.ts";
import { prepareAsBefore } from "./prepare-again.ts";
import {
  type ExecuteParts,
  PreparedStatement,
  readExecute,
  statementIdOf,
  withStatementId,
} from "./prepared-statement.ts";
import { afterStatements, answerHere, routeKept, routeText, statementTraits } from "./query-command.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import { relayReply } from "./simple-commands.ts";
import type { Work } from "./work.ts";

/** COM_STMT_PREPARE at the home of the statement's tables. The client gets an id of ours. */
export async function prepare(session: Session, payload: Buffer): Promise<void> {
  const { state } = session;
  const { preparedStatementsMax } = session.context.limits;
  if (state.prepared.size >= preparedStatementsMax) {
    session.refuse("protocol", tooManyPrepared(preparedStatementsMax));
    return;
  }
  const text = Buffer.from(payload.subarray(1));
  const { schema } = state.names;
  const id = state.newPreparedId();
  await session.perform({
    kind: "prepare",
    bytes: payload.length,
    timeLimitMs: 0,
    opens: false,
    readsInsertId: false,
    schema: () => schema,
    // Preparing reads nothing, so it does not open a transaction that has not been opened yet.
    route: () => ({ ...routeText(session, text, schema), chooses: false }),
    prepare: () => undefined,
    send: (backend) =>
      backend.connection.relayEdited(payloadAsGreeted(session, backend, payload, 1), session.client, (kind, packet) =>
        kind === "prepared" ? withStatementId(packet, id) : packet,
      ),
    after: async (backend) => {
      const facts = backend.connection.prepared;
      if (facts === undefined) return;
      const statement = new PreparedStatement(id, text, { schema, reading: state.settings.reading }, facts.parameters);
      statement.handles.set(backend.connection, facts.statementId);
      state.prepared.set(id, statement);
    },
  });
}

/** COM_STMT_EXECUTE at the home that the tables have now; prepared there first where it is not yet. */
export async function execute(session: Session, payload: Buffer): Promise<void> {
  const { state } = session;
  const id = statementIdOf(payload);
  const statement = state.prepared.get(id);
  if (statement === undefined) {
    session.refuse("protocol", unknownStatement(id, "mysqld_stmt_execute"));
    return;
  }
  if (state.longDataBytes > session.context.limits.longDataBytesMax) {
    dropLongData(session, statement);
    session.refuse("protocol", longDataTooLarge());
    return;
  }
  const parts = readExecute(payload, statement.parameters, session.applicant.capabilities);
  statement.takeTypes(parts);
  const { facts } = state.judgeKept(statement);
  const [only] = facts;
  try {
    if (only !== undefined && facts.length === 1 && (await answerHere(session, only))) return;
    await session.perform(executeWork(session, statement, { payload, parts, facts }));
  } finally {
    dropLongData(session, statement);
  }
}

/** An execute that another than {@link execute} has answered: as after any other, no values wait for the next one. */
export function executeRefused(session: Session, payload: Buffer): void {
  const statement = payload.length < 5 ? undefined : session.state.prepared.get(statementIdOf(payload));
  if (statement !== undefined) dropLongData(session, statement);
}

/** An execute that has been read. */
export interface ReadExecute {
  readonly payload: Buffer;
  readonly parts: ExecuteParts;
  readonly facts: readonly StatementFacts[];
}

export function executeWork(
  session: Session,
  statement: PreparedStatement,
  { payload, parts, facts }: ReadExecute,
): Work {
  const { state } = session;
  return {
    ...statementTraits(session, facts, statement.text),
    text: statement.text,
    bytes: payload.length + state.longDataBytes,
    schema: (backend) => (statement.handles.has(backend.connection) ? state.names.schema : statement.schema),
    route: () => routeKept(session, statement),
    prepare: (backend) =>
      statement.handles.has(backend.connection)
        ? undefined
        : prepareAsBefore(session, backend, statement, () => prepareAgain(session, statement, backend)),
    send: (backend, lazyFlags) => {
      const handle = statement.handles.get(backend.connection) ?? 0;
      const command = statement.executeAt(backend.connection, handle, payload, parts);
      const longData = statement.longDataCommands(handle);
      if (parts.opensCursor) statement.cursorCause = state.causeNow(statement.text);
      return relayReply(session, backend, command, lazyFlags, longData);
    },
    after: async (backend, end) => {
      if ((backend.connection.status & STATUS.CURSOR_EXISTS) === 0 || end.error !== undefined)
        statement.cursor = undefined;
      await afterStatements(session, { text: statement.text, facts, schema: statement.schema, backend, end });
    },
  };
}

async function prepareAgain(
  session: Session,
  statement: PreparedStatement,
  backend: SessionBackend,
): Promise<ErrPacket | undefined> {
  const command = Buffer.concat([Buffer.from([COM.STMT_PREPARE]), asGreeted(session, backend, statement.text)]);
  const { error, prepared } = await backend.connection.own(command);
  if (error !== undefined) return error;
  if (prepared === undefined || prepared.parameters !== statement.parameters) {
    throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
      what: `backend "${backend.name}" has prepared a statement with another number of parameters`,
    });
  }
  statement.handles.set(backend.connection, prepared.statementId);
  return undefined;
}

/** COM_STMT_SEND_LONG_DATA has no reply; the value waits here until it is known which backend gets the execute. */
export function takeLongData(session: Session, payload: Buffer): void {
  const statement = session.state.prepared.get(statementIdOf(payload));
  if (statement === undefined || payload.length < 7) return;
  const part = Buffer.from(payload.subarray(7));
  session.state.longDataBytes += part.length;
  // Above the limit nothing more is kept: the execute answers with the error, as a server's would.
  if (session.state.longDataBytes > session.context.limits.longDataBytesMax) return;
  const parameter = payload.readUInt16LE(5);
  const parts = statement.longData.get(parameter);
  if (parts === undefined) statement.longData.set(parameter, [part]);
  else parts.push(part);
}

/** COM_STMT_CLOSE has no reply. */
export function closeStatement(session: Session, payload: Buffer): void {
  const id = statementIdOf(payload);
  const statement = session.state.prepared.get(id);
  if (statement === undefined) return;
  dropLongData(session, statement);
  session.state.prepared.delete(id);
  for (const [connection, handle] of statement.handles) connection.silent(withStatementId(payload, handle));
  session.context.traffic.settled(session);
}

/** COM_STMT_RESET forgets long data and closes the cursor. */
export async function resetStatement(session: Session, payload: Buffer): Promise<void> {
  const id = statementIdOf(payload);
  const statement = session.state.prepared.get(id);
  if (statement === undefined) {
    session.refuse("protocol", unknownStatement(id, "mysqld_stmt_reset"));
    return;
  }
  dropLongData(session, statement);
  const { last } = statement;
  const handle = last === undefined ? undefined : statement.handles.get(last);
  if (last === undefined || handle === undefined) {
    session.answerOk();
    return;
  }
  const answer = await last.own(withStatementId(payload, handle));
  statement.cursor = undefined;
  session.context.traffic.settled(session);
  if (answer.error === undefined) session.answerOk();
  else session.client.send(buildErr(answer.error));
}

/** COM_STMT_FETCH goes where the cursor is. */
export async function fetchRows(session: Session, payload: Buffer): Promise<void> {
  const id = statementIdOf(payload);
  const statement = session.state.prepared.get(id);
  if (statement === undefined) {
    session.refuse("protocol", unknownStatement(id, "mysqld_stmt_fetch"));
    return;
  }
  const { cursor } = statement;
  const handle = cursor === undefined ? undefined : statement.handles.get(cursor);
  if (cursor === undefined || handle === undefined) {
    session.refuse("protocol", noCursor(id));
    return;
  }
  const end = await cursor.relay(withStatementId(payload, handle), session.client);
  if (end.error !== undefined || (cursor.status & STATUS.LAST_ROW_SENT) !== 0) statement.cursor = undefined;
  session.context.traffic.settled(session);
}

/** A server forgets the values sent ahead with every execute, however that ends. */
export function dropLongData({ state }: Session, statement: PreparedStatement): void {
  if (state.longDataBytes === 0) return;
  for (const parts of statement.longData.values()) for (const part of parts) state.longDataBytes -= part.length;
  statement.longData.clear();
  for (const { longData } of state.prepared.values()) if (longData.size > 0) return;
  state.longDataBytes = 0;
}
