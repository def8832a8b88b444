import type { QueryEvent } from "../binlog/binlog-event.ts";
import { decodeQueryStatus } from "../binlog/query-status.ts";
import { type CharsetClass, collationClass } from "../sql/charset-class.ts";

const BEYOND_ASCII = /[^\0-\x7f]/;

/**
 * What the character set of a statement's client makes of its text. The log has the text as the client has sent it, and it is
 * read here as UTF-8.
 */
export function charsetOfText({ sql, status }: Pick<QueryEvent, "sql" | "status">): CharsetClass {
  if (!BEYOND_ASCII.test(sql)) return "utf8";
  const client = decodeQueryStatus(status).charset?.client;
  return client === undefined ? "utf8" : collationClass(client);
}
