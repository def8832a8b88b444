import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { clearAfterAbort } from "../../../src/cutover/abort.ts";
import { endsOf } from "../../../src/cutover/attempt.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { HomeSession, OpenSession, SwitchPorts } from "../../../src/cutover/ports.ts";
import { DEFAULT_SWITCH_LIMITS } from "../../../src/cutover/switch-options.ts";
import { migrationDocument, storeWith } from "./memory-store.ts";

const FENCE = "earlier";
const ABORTED: MigrationDocument = {
  ...migrationDocument(),
  fenceToken: FENCE,
  attempt: { token: "t", kind: "switch", who: "ann", startedAt: "", state: "aborting" },
};

const never = (): Promise<never> => new Promise(() => undefined);

/** A session whose every statement is answered, but for what is changed. */
function session(done: string[], changes: Partial<HomeSession> = {}): HomeSession {
  const told =
    <T>(what: string, value: T) =>
    (): Promise<T> => {
      done.push(what);
      return Promise.resolve(value);
    };
  const fences = ABORTED.tables.map((table) => ({ table, token: FENCE, complete: true }));
  return {
    lost: new AbortController().signal,
    executed: told("executed", ""),
    fences: told("fences", fences),
    unlock: told("unlock", undefined),
    close: told("close", undefined),
    ...changes,
  } as unknown as HomeSession;
}

/** Clears the servers with these sessions; answers what sessions were opened for it, and what was done in those. */
async function clear(sessions: Readonly<Record<"old" | "new", HomeSession>>): Promise<readonly string[]> {
  const done: string[] = [];
  const ports = {
    // A second of waiting is a hundredth here.
    clock: { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) },
    log: silentLogger,
    failpoint: noFailpoints,
    store: await storeWith(ABORTED),
    stream: () => ({ resume: () => Promise.resolve() }),
    home: (backend: string) => ({
      open: ({ takeOver }: OpenSession) => {
        done.push(`${takeOver} on ${backend}`);
        return Promise.resolve(session(done));
      },
    }),
  } as unknown as SwitchPorts;
  const limits = DEFAULT_SWITCH_LIMITS;
  await clearAfterAbort({ ports, ends: endsOf(ABORTED, "switch"), limits, document: ABORTED, token: "t", sessions });
  return done;
}

describe("an abort whose session does not answer, though its connection stands", () => {
  test.each([
    ["is not unlocked", { unlock: never }],
    ["does not close", { close: never }],
  ])("frees the old home by ending the session that %s", async (_what, hung) => {
    expect(await clear({ old: session([], hung), new: session([]) })).toEqual(["kill-holder on old", "close"]);
  });

  test.each([
    ["on which it works", { executed: never }],
    ["by which it looks", { fences: never }],
  ])("fences the new home by another session where the connection %s is dead", async (_what, hung) => {
    expect(await clear({ old: session([]), new: session([], hung) })).toEqual([
      "kill-holder on new",
      "fences",
      "close",
    ]);
  });

  test("opens no other session where its own answer", async () => {
    expect(await clear({ old: session([]), new: session([]) })).toEqual([]);
  });
});
