import type { Direction } from "../replication/direction.ts";
import type { Compare, StoreWrite } from "../store/store.ts";
import { type StateCode, stateKind } from "./catalogue.ts";

/** Which server a repair is for: it does nothing on any other. */
export interface OnServer {
  readonly backend: string;
  readonly uuid: string;
  readonly migration: string;
}

/** A repair that the facts have shown to be safe. Each may be repeated. */
export type Repair =
  | { readonly kind: "store"; readonly conditions: readonly Compare[]; readonly writes: readonly StoreWrite[] }
  | ({ readonly kind: "drop-triggers"; readonly tables: readonly string[]; readonly of: "fence" | "guard" } & OnServer)
  | ({ readonly kind: "install-fence"; readonly tables: readonly string[]; readonly token: string } & OnServer)
  | ({ readonly kind: "retire-ledger"; readonly direction: Direction; readonly token: string } & OnServer)
  | ({
      readonly kind: "unseal-ledger";
      readonly direction: Direction;
      readonly token: string;
      readonly attempt: string;
    } & OnServer)
  | ({ readonly kind: "drop-sidecar-rows" } & OnServer)
  | ({ readonly kind: "kill"; readonly connectionId: string; readonly lock?: string } & OnServer);

/** One state that should not be. */
export interface DoctorFinding {
  readonly code: StateCode;
  readonly severity: "error" | "warning";
  /** What it is about: a migration, a server, a key. */
  readonly subject: string;
  readonly observed: string;
  readonly expected: string;
  readonly why: string;
  /** What to do, in words; what `--fix` would do is among them. */
  readonly advice: string;
  /** Left out where nothing can be done automatically. */
  readonly repair?: Repair;
}

/** What a check fills in. */
export type Found = Pick<DoctorFinding, "subject" | "observed" | "expected" | "advice"> & {
  readonly repair?: Repair | undefined;
};

/** A finding of this code. */
export function found(code: StateCode, { repair, ...facts }: Found): DoctorFinding {
  const { severity, why } = stateKind(code);
  return { code, severity, ...facts, why, ...(repair === undefined ? {} : { repair }) };
}

/** The same state in two looks. */
export function identity({ code, subject, observed, repair }: DoctorFinding): string {
  // What counts up between two looks makes no other state; but another connection is another one.
  return `${code} ${subject} ${repair?.kind === "kill" ? observed : observed.replaceAll(/\d+/g, "#")}`;
}
