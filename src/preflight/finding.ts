/** What a check says: `error` forbids the migration, `warning` is for a person to weigh, `ok` was looked at and is well. */
export type Severity = "error" | "warning" | "ok";

/** One thing that was looked at. */
export interface Finding {
  /** The check's own name, the same in every release: `gtid`, `primary-key`. */
  readonly id: string;
  readonly severity: Severity;
  /** What was looked at: a server by its role and name, a table, an account. */
  readonly subject: string;
  readonly observed: string;
  readonly expected: string;
  /** What to do; empty where all is well. Statements are complete and end with a semicolon. */
  readonly fix: string;
}

/** The parts of a finding that a check fills in. */
export interface Judged {
  readonly subject: string;
  readonly observed: string;
  readonly expected: string;
  readonly fix: string;
}

/** An `ok` finding where `good`, else one of `severity` with its fix. */
export function judge(id: string, good: boolean, judged: Judged, severity: "error" | "warning" = "error"): Finding {
  return good ? { id, severity: "ok", ...judged, fix: "" } : { id, severity, ...judged };
}
