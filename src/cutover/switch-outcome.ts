import type { SwitchyardError } from "../base/errors.ts";
import type { StepTime } from "./attempt.ts";
import type { GateFinding, Stray } from "./ports.ts";

/**
 * How an attempt ended. Only `switched` changed where the tables live.
 *
 * - `refused`: a check of the gate failed; nothing was changed.
 * - `rehearsed`: all but the swap was done, and taken back as in an abort; clients saw a pause.
 * - `aborted`: back as before; clients saw a pause at most.
 * - `superseded`: another controller has taken the attempt over and answers for its end.
 * - `unsettled`: this controller had to stop before the end was known or done; the next controller settles it.
 */
export type SwitchOutcome =
  | { readonly outcome: "refused"; readonly findings: readonly GateFinding[]; readonly error: SwitchyardError }
  | {
      readonly outcome: "switched";
      readonly switchId: string;
      readonly generation: number;
      /** From the write of the hold to the swap, as this controller saw it. 0 when another controller swapped. */
      readonly pauseMs: number;
      readonly steps: readonly StepTime[];
      /** Writes that reached the old home after the cut; to be looked at by a person. */
      readonly strays: readonly Stray[];
      readonly notes: readonly string[];
    }
  | {
      readonly outcome: "rehearsed";
      /** From the write of the hold until the tables were released to the old home. */
      readonly heldMs: number;
      readonly steps: readonly StepTime[];
      readonly notes: readonly string[];
    }
  | {
      readonly outcome: "aborted";
      readonly reason: SwitchyardError;
      readonly heldMs: number;
      readonly notes: readonly string[];
    }
  | { readonly outcome: "superseded"; readonly reason: SwitchyardError }
  | { readonly outcome: "unsettled"; readonly switched: boolean | undefined; readonly reason: SwitchyardError };
