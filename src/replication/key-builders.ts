import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { type LedgerClaim, proveEpoch } from "./ledger.ts";
import { connectWriter } from "./stream-session.ts";

/**
 * Opens sessions on the target that add keys beside the stream's own, and closes them when `work` is done.
 *
 * Each proves the epoch once it is there: whoever takes the ledger over raises the epoch and then ends the sessions that
 * it finds. So one that comes too late for that has seen the epoch raised, and does nothing.
 *
 * @throws {SwitchyardError} what {@link proveEpoch} throws, and what `work` does
 */
export async function withKeyBuilders(
  of: { readonly target: Endpoint; readonly claim: LedgerClaim; readonly signal: AbortSignal },
  count: number,
  work: (builders: readonly Connection[]) => Promise<void>,
): Promise<void> {
  const { target, claim, signal } = of;
  const builders: Connection[] = [];
  const cut = (): void => {
    for (const builder of builders) builder.destroy();
  };
  signal.addEventListener("abort", cut, { once: true });
  try {
    for (let copier = 1; copier <= count; copier++) {
      const builder = await connectWriter(target, claim, { signal });
      builders.push(builder);
      await proveEpoch(builder, claim, copier);
    }
    await work(builders);
  } finally {
    signal.removeEventListener("abort", cut);
    await Promise.all(builders.map((builder) => builder.close()));
  }
}
