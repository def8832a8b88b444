import type { QueryEvent } from "../binlog/binlog-event.ts";
import { decodeQueryStatus } from "../binlog/query-status.ts";
import { type CharsetClass, collationClass } from "../sql/charset-class.ts";

/**
 * What the character set of a statement's client makes of its text. The log has the text as the client has sent it, and it is
 * read here as UTF-8.
 */
export function charsetOfText({ sql, status }: Pick<QueryEvent, "sql" | "status">): CharsetClass {
  if (isAscii(sql)) return "utf8";
  const client = decodeQueryStatus(status).charset?.client;
  return client === undefined ? "utf8" : collationClass(client);
}

/** Whether it is in the same bytes in all character sets of clients. */
export function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}
