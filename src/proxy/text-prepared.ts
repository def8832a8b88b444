import { quoteId } from "../base/table-name.ts";
import type { StatementFacts } from "../sql/statement.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { notSupported, tooManyPrepared, unknownStatement } from "./client-errors.ts";
import { asGreeted } from "./connection-id.ts";
import { prepareAsBefore } from "./prepare-again.ts";
import { preparedKey, type TextPrepared } from "./prepared-statement.ts";
import { afterStatements, answerHere, routeKept, routeText, statementTraits } from "./query-command.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import { relayReply, relayTo } from "./simple-commands.ts";
import { VARIABLES_BYTES_MAX } from "./user-variables.ts";

/**
 * PREPARE, EXECUTE and DEALLOCATE as SQL text: the text prepared decides on the route, as for prepared statements of the
 * protocol. Answers whether it was one whose text can be known; else nothing was done.
 */
export async function runDynamic(session: Session, payload: Buffer, { dynamic }: StatementFacts): Promise<boolean> {
  if (dynamic === undefined || !/^[\x20-\x7e]*$/.test(dynamic.name)) return false;
  const { state } = session;
  const key = preparedKey(dynamic.name);
  if (dynamic.action === "prepare") {
    const text = dynamic.text ?? (await textIn(session, dynamic.variable));
    return text !== undefined && (await prepareText(session, payload, dynamic.name, text));
  }
  const statement = state.textPrepared.get(key);
  if (statement === undefined) {
    // Prepared in a way that could not be followed: the server knows it, or that there is none.
    if (state.pins.has(`prepare ${key}`) || state.pins.has("prepare")) return false;
    const where = dynamic.action === "execute" ? "EXECUTE" : "DEALLOCATE PREPARE";
    session.refuse("protocol", unknownStatement(dynamic.name, where));
  } else if (dynamic.action === "execute") await executeText(session, payload, statement);
  else await deallocate(session, payload, statement);
  return true;
}

async function prepareText(session: Session, payload: Buffer, name: string, text: Buffer): Promise<boolean> {
  const { state, context } = session;
  const { preparedStatementsMax } = context.limits;
  if (state.preparedFull) {
    session.refuse("protocol", tooManyPrepared(preparedStatementsMax));
    return true;
  }
  const { schema } = state.names;
  const kept = Buffer.from(text);
  await session.perform({
    ...{ kind: "prepare", bytes: payload.length, timeLimitMs: 0, opens: false, readsInsertId: false },
    text: kept,
    schema: () => schema,
    // Preparing reads nothing, so it does not open a transaction that has not been opened yet.
    route: () => ({ ...routeText(session, kept, schema), chooses: false }),
    prepare: () => undefined,
    send: (backend, lazyFlags) => relayReply(session, backend, payload, lazyFlags),
    after: async (backend, end) => {
      const key = preparedKey(name);
      // Also where it fails, the statement that had the name before is gone.
      state.textPrepared.delete(key);
      state.pins.clear(`prepare ${key}`);
      if (end.error !== undefined) return;
      state.textPrepared.set(key, {
        ...{ name, text: kept, schema, reading: state.settings.reading },
        on: new Set([backend.connection]),
      });
    },
  });
  return true;
}

async function executeText(session: Session, payload: Buffer, statement: TextPrepared): Promise<void> {
  const { state } = session;
  const { text, schema, on } = statement;
  const { facts } = state.judgeKept(statement);
  const [only] = facts;
  if (only !== undefined && facts.length === 1 && (await answerHere(session, only))) return;
  await session.perform({
    ...statementTraits(session, facts, text),
    text,
    bytes: payload.length,
    schema: (backend) => (on.has(backend.connection) ? state.names.schema : schema),
    route: () => routeKept(session, statement),
    prepare: (backend) =>
      on.has(backend.connection)
        ? undefined
        : prepareAsBefore(session, backend, statement, () => prepareAgain(session, statement, backend)),
    send: (backend, lazyFlags) => relayReply(session, backend, payload, lazyFlags),
    after: (backend, end) => afterStatements(session, { text, facts, schema, backend, end }),
  });
}

async function prepareAgain(
  session: Session,
  { name, text, reading, on }: TextPrepared,
  backend: SessionBackend,
): Promise<ErrPacket | undefined> {
  const { noBackslashEscapes } = reading.parsedBy;
  // A second byte of a character may be a quote or a backslash there.
  if (session.state.settings.modes.charset === "unsafe" && text.some((byte) => byte >= 0x80)) {
    return notSupported(
      `a text prepared by PREPARE, not of ASCII and in a character set such as gbk, on ${backend.name}`,
    );
  }
  const literal = quoted(asGreeted(session, backend, text), noBackslashEscapes);
  const head = Buffer.from(`PREPARE ${quoteId(name)} FROM `);
  const { error } = await backend.connection.query(Buffer.concat([head, literal]));
  if (error === undefined) on.add(backend.connection);
  return error;
}

/** At every server that knows it; the client hears the answer of one. */
async function deallocate(session: Session, payload: Buffer, statement: TextPrepared): Promise<void> {
  const { state, backends } = session;
  const [here, ...others] = backends.all.filter(({ connection }) => statement.on.has(connection));
  for (const { connection } of others) await connection.query(`DEALLOCATE PREPARE ${quoteId(statement.name)}`);
  state.textPrepared.delete(preparedKey(statement.name));
  if (here === undefined) session.answerOk();
  else await relayTo(session, payload, here.name);
}

/** A string literal of these bytes. */
function quoted(text: Buffer, noBackslashEscapes: boolean): Buffer {
  const bytes = text.toString("latin1");
  const doubled = noBackslashEscapes ? bytes.replaceAll("'", "''") : bytes.replaceAll(/['\\]/g, "$&$&");
  return Buffer.from(`'${doubled}'`, "latin1");
}

/** The value of a user variable as a text to prepare; undefined where it cannot be told or is no text of ASCII or UTF-8. */
async function textIn(session: Session, variable: string): Promise<Buffer | undefined> {
  const { settings, lastBackend } = session.state;
  const knows = ({ settings: told, connection }: SessionBackend): boolean =>
    told === settings.serial && connection.isFree;
  const all = session.backends.all.filter(knows);
  const backend = all.find(({ name }) => name === lastBackend) ?? all[0];
  if (backend === undefined || !/^[\x20-\x7e]*$/.test(variable)) return undefined;
  const it = `@${quoteId(variable)}`;
  const short = `LENGTH(${it}) <= ${VARIABLES_BYTES_MAX}`;
  const { rows } = await backend.connection.query(
    `SELECT HEX(CONVERT(${it} USING utf8mb4)) FROM DUAL WHERE ${short} LIMIT 1`,
  );
  const hex = rows[0]?.[0]?.replaceAll("\0", "");
  if (hex === undefined) return undefined;
  const text = Buffer.from(hex, "hex");
  const utf8 = (settings.modes.charset ?? "utf8") === "utf8";
  return utf8 || text.every((byte) => byte < 0x80) ? text : undefined;
}
