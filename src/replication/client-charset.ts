import type { QueryEvent } from "../binlog/binlog-event.ts";
import { decodeQueryStatus } from "../binlog/query-status.ts";
import type { SqlModes } from "../sql/statement.ts";

const BEYOND_ASCII = /[^\0-\x7f]/;

/** Collations of big5, sjis, gbk, cp932 and gb18030: the second byte of a character may be a backslash or a quote of names. */
const UNSAFE: ReadonlySet<number> = new Set([1, 84, 13, 88, 28, 87, 95, 96, 248, 249, 250]);

/**
 * What the character set of a statement's client makes of its text. The log has the text as the client has sent it, and it is
 * read here as UTF-8.
 */
export function charsetOfText({ sql, status }: Pick<QueryEvent, "sql" | "status">): NonNullable<SqlModes["charset"]> {
  if (!BEYOND_ASCII.test(sql)) return "utf8";
  const client = decodeQueryStatus(status).charset?.client;
  if (client === undefined || isUtf8(client)) return "utf8";
  return UNSAFE.has(client) ? "unsafe" : "other";
}

/** Numbers of collations of utf8mb3 and utf8mb4. */
function isUtf8(collation: number): boolean {
  const within = (from: number, to: number): boolean => collation >= from && collation <= to;
  return [33, 45, 46, 76, 83].includes(collation) || within(192, 247) || within(255, 323);
}
