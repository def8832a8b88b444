import { ERROR_CODES, type ErrorCode } from "../base/error-codes.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";

/** An error as the admin API answers it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: {
    readonly format: 1;
    readonly error: { readonly code: ErrorCode; readonly message: string; readonly exit: number };
  };
}

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  ADMIN_UNAUTHENTICATED: 401,
  ADMIN_FORBIDDEN: 403,
  ADMIN_NOT_FOUND: 404,
  ADMIN_BUSY: 429,
  MIGRATION_NOT_FOUND: 404,
  STORE_UNAVAILABLE: 503,
  STORE_OUTCOME_UNKNOWN: 502,
};

const STATUS_OF_EXIT: Readonly<Record<1 | 2 | 3 | 4 | 5, number>> = { 1: 500, 2: 400, 3: 409, 4: 409, 5: 502 };

/** The answer to a request that failed. What is not our own error is a defect, and its text stays in the log. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (isSwitchyardError(error)) return answer(error.code, messageOf(error));
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === "number" && status >= 400 && status < 500) {
    return { ...answer("ADMIN_REQUEST_INVALID", `ADMIN_REQUEST_INVALID: ${messageOf(error)}`), status };
  }
  return answer("INTERNAL_INVARIANT", "INTERNAL_INVARIANT: a defect of Switchyard; its log says more");
}

function answer(code: ErrorCode, message: string): ErrorAnswer {
  const { exit } = ERROR_CODES[code];
  return { status: STATUS_OF[code] ?? STATUS_OF_EXIT[exit], body: { format: 1, error: { code, message, exit } } };
}
