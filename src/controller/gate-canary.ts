import { messageOf } from "../base/errors.ts";
import type { GateFinding, SwitchEnds } from "../cutover/ports.ts";
import { proveStream } from "../replication/canary.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/** For a server that is busy; the gate has not changed anything yet, so waiting costs clients nothing. */
const CANARY_TIMEOUT_MS = 10_000;

/**
 * Whether the stream that leads back could begin: a row that is written on the new home comes in its log, and the old
 * home's ledger can be written. After the switch it would be too late to find out that it cannot.
 */
export async function gateCanary(context: ControllerContext, ends: SwitchEnds): Promise<readonly GateFinding[]> {
  const finding = {
    id: "return-proven",
    title: "the stream that leads back could begin",
    expected: `a row written on ${ends.newHome} read from its log, and the ledger of ${ends.oldHome} written`,
    fix: "Correct what the message says; `switchyard check` looks at both servers, for either direction.",
  };
  try {
    const arrivedMs = await proveStream({
      name: { migration: ends.migration, direction: ends.returning },
      source: endpointOf(context, ends.newHome),
      target: endpointOf(context, ends.oldHome),
      timeoutMs: CANARY_TIMEOUT_MS,
    });
    return [{ ...finding, ok: true, observed: `the row came ${Math.round(arrivedMs)} ms after its commit` }];
  } catch (error) {
    return [{ ...finding, ok: false, observed: messageOf(error).split("\n")[0] ?? "" }];
  }
}
