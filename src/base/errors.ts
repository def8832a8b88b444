import { ERROR_CODES, type ErrorCode } from "./error-codes.ts";

/** What an error tells its reader. Secrets never belong in any of these. */
export interface ErrorFacts {
  /** What happened, with the names of the things it happened to. */
  readonly what: string;
  /** Further lines: what was observed and what was expected, one fact a line. */
  readonly details?: readonly string[];
  /** What was and was not changed; left out only where nothing could have been. */
  readonly changed?: string;
  /** What to do next. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/**
 * The one error type that Switchyard throws on purpose. Callers match on {@link code}, never on text.
 *
 * The message is written for the operator: `CODE: what`, then details, what was changed, what to do.
 */
export class SwitchyardError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, facts: ErrorFacts) {
    super(formatMessage(code, facts), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "SwitchyardError";
    this.code = code;
    this.facts = facts;
  }

  /** Whether doing the same again, unchanged, can succeed. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

function formatMessage(code: ErrorCode, facts: ErrorFacts): string {
  const lines = [`${code}: ${facts.what}`];
  for (const detail of facts.details ?? []) lines.push(`  ${detail}`);
  if (facts.changed !== undefined) lines.push(facts.changed);
  if (facts.fix !== undefined) lines.push(facts.fix);
  return lines.join("\n");
}

/** Whether `error` is a {@link SwitchyardError}, and if codes are given, one of these. */
export function isSwitchyardError(error: unknown, ...codes: readonly ErrorCode[]): error is SwitchyardError {
  return error instanceof SwitchyardError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of anything thrown, for a log line or for the `details` of another error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
