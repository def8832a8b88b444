import { SwitchyardError } from "../base/errors.ts";

/** The status codes of gRPC that are told apart here. */
export const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** With these etcd says that it has looked at a request and refused it. */
const REFUSED: ReadonlySet<number> = new Set([
  GRPC.invalidArgument,
  GRPC.notFound,
  GRPC.alreadyExists,
  GRPC.permissionDenied,
  GRPC.resourceExhausted,
  GRPC.failedPrecondition,
  GRPC.outOfRange,
  GRPC.unimplemented,
  GRPC.unauthenticated,
]);

/**
 * What etcd says of an account as of any wrong argument: a password or a name that it does not know, no name where it asks
 * for one, a token from before accounts were changed.
 */
const ACCOUNT_REFUSED = /authentication failed|user name is empty|user name not found|revision of auth store is old/;

/** A failure as gRPC tells it, with `unauthenticated` for whatever is said of the account. */
export function toldFailure(code: number, details: string, endpoint: string): EtcdFailure {
  const refusedAccount = code === GRPC.invalidArgument && ACCOUNT_REFUSED.test(details);
  return new EtcdFailure(refusedAccount ? GRPC.unauthenticated : code, `${endpoint}: ${details}`);
}

/** A call to one etcd that did not succeed, with the status code of gRPC. Does not leave this folder. */
export class EtcdFailure extends Error {
  override readonly name = "EtcdFailure";
  readonly code: number;
  /** Whether the request itself was never sent: what had to come before it failed. */
  readonly unsent: boolean;

  constructor(code: number, message: string, unsent = false) {
    super(message);
    this.code = code;
    this.unsent = unsent;
  }

  beforeSending(): EtcdFailure {
    return new EtcdFailure(this.code, this.message, true);
  }

  /** Whether etcd has answered and certainly done nothing. Another endpoint would say the same. */
  get refused(): boolean {
    return REFUSED.has(this.code);
  }
}

/** The failure of a request that was sent. What is not a failure of etcd is a defect and stays what it is. */
export function storeError(error: unknown, sent: { readonly write: boolean }): unknown {
  if (!(error instanceof EtcdFailure)) return error;
  if (sent.write && !error.refused && !error.unsent) {
    return new SwitchyardError("STORE_OUTCOME_UNKNOWN", {
      what: `etcd did not say whether a write was applied: ${error.message}`,
      changed: "The write was sent once and not again.",
    });
  }
  return certainly(error);
}

/** The error for a request that etcd has certainly not carried out. */
export function certainly(error: EtcdFailure): SwitchyardError {
  const changed = "Nothing was written.";
  switch (error.code) {
    case GRPC.notFound:
      return new SwitchyardError("STORE_LEASE_LOST", {
        what: "a key cannot be written under a lease that has ended",
        changed,
      });
    case GRPC.invalidArgument:
      return new SwitchyardError("STORE_REQUEST_INVALID", {
        what: `etcd refuses a request: ${error.message}`,
        changed,
      });
    case GRPC.permissionDenied:
    case GRPC.unauthenticated:
      return new SwitchyardError("STORE_UNAVAILABLE", {
        what: `etcd refuses this account: ${error.message}`,
        fix: "Check store.etcd.user and its password, and that its role may read and write the whole prefix.",
      });
    default:
      return new SwitchyardError("STORE_UNAVAILABLE", { what: `etcd cannot be used: ${error.message}` });
  }
}
