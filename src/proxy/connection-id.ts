import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";

/** Longer texts ask for more than the id. */
const TEXT_BYTES_MAX = 300;

const COMMENTS = String.raw`(?:\s|/\*(?![!+])[^*]*\*/)*`;
const ID = String.raw`connection_id\s*\(\s*\)|@@(?:(?:session|local)\s*\.\s*)?pseudo_thread_id`;
const ALIAS = String.raw`\s+(?:as\s+)?(?!limit\b|from\b)(?:[\w$]+|\`[^\`]+\`|'[^'\\]+'|"[^"\\]+")`;
const ASKS = new RegExp(
  `^(${COMMENTS}select\\s+)(${ID})(${ALIAS})?((?:\\s+from\\s+dual)?(?:\\s+limit\\s+\\d+)?\\s*;?\\s*)$`,
  "i",
);

/**
 * A statement as it must be sent to `backend`: one that asks for nothing but the id of its connection is answered with the id
 * that the client was greeted with, on every backend. By that id alone can the session be killed.
 */
export function asGreeted(session: Session, backend: SessionBackend, text: Buffer): Buffer {
  if (backend.connection.threadId === session.threadId || text.length > TEXT_BYTES_MAX) return text;
  const asks = ASKS.exec(text.toString("latin1"));
  if (asks === null) return text;
  const [, select = "", expression = "", alias = ` AS \`${expression}\``, rest = ""] = asks;
  return Buffer.from(`${select}CAST(${session.threadId} AS UNSIGNED)${alias}${rest}`, "latin1");
}

/** As {@link asGreeted}, for a whole COM_QUERY or COM_STMT_PREPARE whose text begins at `offset`. */
export function payloadAsGreeted(session: Session, backend: SessionBackend, payload: Buffer, offset: number): Buffer {
  const text = payload.subarray(offset);
  const sent = asGreeted(session, backend, text);
  return sent === text ? payload : Buffer.concat([payload.subarray(0, offset), sent]);
}
