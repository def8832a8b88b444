import { expect, test } from "vitest";
import type { Session } from "../../../src/proxy/session.ts";
import { SessionEnding } from "../../../src/proxy/session-ending.ts";

/** An idle session with a transaction on "old", that its server rolls back. */
function idleSession(): { readonly session: Session; readonly ended: string[] } {
  const ended: string[] = [];
  let open = true;
  const connection = {
    ...{ isFree: true, isLost: false, inTransaction: false },
    rollBack: async () => {
      open = false;
      return { error: undefined };
    },
  };
  const session = {
    ...{ busy: false, halfSent: undefined },
    openOn: () => (open ? { reason: "a transaction is open" } : undefined),
    backends: { get: () => ({ connection }) },
    state: { moreThanTransactionOn: () => false, transaction: { ended: () => undefined }, used: () => undefined },
    context: { traffic: { settled: () => undefined } },
    endByOrder: (why: string) => ended.push(why),
  };
  return { session: session as unknown as Session, ended };
}

/** One attempt has its transaction rolled back; its client says nothing; the next attempt finds it pinned. */
test("a session whose client does not know yet that its transaction was undone ends where a switch says so", async () => {
  const { session, ended } = idleSession();
  const ending = new SessionEnding(session);
  ending.endOpen("old");
  await ending.undone;
  expect(ended).toEqual([]);
  ending.endOpen("old");
  ending.endSession("it has a temporary table");
  await Promise.resolve();
  expect(ended).toEqual(["it has a temporary table"]);
});
