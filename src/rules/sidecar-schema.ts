/**
 * The schema on each server in which Switchyard keeps what must change together with a server's rows. It is left out of
 * every copy, stream and diff.
 */
export const SIDECAR_SCHEMA = "_switchyard";

/** Format of the sidecar's tables, in the comment of each. The second has `sealed_by` in the ledger. */
export const SIDECAR_FORMAT = 2;

/** The comment of a table of that format. */
export function formatComment(format: number): string {
  return `switchyard format ${format}`;
}

/** Tables that a check of the servers makes for a moment. */
const SCRATCH = /^preflight_/;

/** What finds {@link sidecarFormats}. */
export const SIDECAR_TABLES_SQL = `SELECT table_name AS name, table_comment AS comment FROM information_schema.tables WHERE table_schema = '${SIDECAR_SCHEMA}'`;

/** The format of each table that is there, by its name, but for those that come and go; NaN for a table of somebody else. */
export function sidecarFormats(
  rows: readonly Readonly<Record<string, string | null | undefined>>[],
): ReadonlyMap<string, number> {
  return new Map(
    rows
      .filter((row) => !SCRATCH.test(row["name"] ?? ""))
      .map((row) => [
        row["name"] ?? "",
        Number(/^switchyard format (\d+)$/.exec(row["comment"] ?? "")?.[1] ?? Number.NaN),
      ]),
  );
}
