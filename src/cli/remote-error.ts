import { ERROR_CODES } from "../base/error-codes.ts";
import { isSwitchyardError, messageOf, type SwitchyardError } from "../base/errors.ts";

/** An error that a Switchyard process has answered: its own words and its own exit code. */
export class RemoteError extends Error {
  readonly code: string;
  readonly exit: number;

  constructor(error: { readonly code: string; readonly message: string; readonly exit: number }) {
    super(error.message);
    this.name = "RemoteError";
    this.code = error.code;
    this.exit = error.exit;
  }
}

/** A command that did its work and found that it must fail: `--json` prints `report` beside the error. */
export class ReportedError extends Error {
  readonly report: Readonly<Record<string, unknown>>;

  constructor(cause: SwitchyardError, report: Readonly<Record<string, unknown>>) {
    super(cause.message, { cause });
    this.name = "ReportedError";
    this.report = report;
  }
}

/** An error as a command ends with it. */
export interface CommandError {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
}

/** What to say of anything that was thrown, and how to exit. */
export function commandError(error: unknown): CommandError {
  if (error instanceof ReportedError) return commandError(error.cause);
  if (error instanceof RemoteError) return { code: error.code, message: error.message, exit: error.exit };
  if (isSwitchyardError(error)) return { code: error.code, message: error.message, exit: ERROR_CODES[error.code].exit };
  return { code: "INTERNAL_INVARIANT", message: `INTERNAL_INVARIANT: ${messageOf(error)}`, exit: 1 };
}
