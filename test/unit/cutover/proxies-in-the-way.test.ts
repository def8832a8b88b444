import { describe, expect, test } from "vitest";
import { type Attempt, newAttempt } from "../../../src/cutover/attempt.ts";
import { notDrained } from "../../../src/cutover/not-drained.ts";
import { notReady } from "../../../src/cutover/not-ready.ts";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import type { ProxyView, RegisteredProxy } from "../../../src/cutover/proxy-view.ts";
import { drain } from "../../../src/cutover/step-hold.ts";
import { DEFAULT_SWITCH_LIMITS, type Insistence, type SwitchLimits } from "../../../src/cutover/switch-options.ts";
import type { BlockedKind, BlockedSession, HoldAcknowledgement } from "../../../src/rules/proxy-document.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import { migrationDocument } from "./memory-store.ts";

function attempt(how: { openTransactions?: Insistence; pinned?: Insistence; limits?: Partial<SwitchLimits> }): Attempt {
  const ports = { newToken: () => "switch-1" } as unknown as SwitchPorts;
  const limits = { ...DEFAULT_SWITCH_LIMITS, ...how.limits };
  const state = {
    migration: { document: migrationDocument(), revision: 1 },
    rules: { document: initialRules("old"), revision: 1 },
  };
  return newAttempt(ports, { migration: "m", kind: "switch", who: "ann", ...how, limits }, state, "token-1");
}

const session = (kind: BlockedKind): BlockedSession => ({ kind, session: "7", user: "app", reason: "why" });

function proxy(answer?: Partial<HoldAcknowledgement>): RegisteredProxy {
  const holds = answer === undefined ? {} : { m: { token: "token-1", state: "holding", open: [], ...answer } };
  return { document: { id: "p1", armed: {}, holds }, revision: 1, alive: true } as unknown as RegisteredProxy;
}

const OPEN = proxy({ open: [session("statement"), session("open")] });
const RUNS = proxy({ open: [session("statement")] });
const DRAINS = proxy({});
const SILENT = proxy();
const NEARLY = 2001.4;

describe("a hold that does not drain says what is in the way, for how long, and what helps", () => {
  test.each<[string, Insistence, RegisteredProxy, number, string, string]>([
    [
      "a transaction",
      "wait",
      OPEN,
      NEARLY,
      "transactions on old did not end within 2001 ms",
      "more with drainTimeoutMs",
    ],
    ["one when the hold itself is short", "wait", OPEN, 900, "did not end within 900 ms", "more with holdBudgetMs"],
    ["a transaction", "abort", OPEN, 3, "transactions are open on old, and none is to be waited for", "leave --open"],
    ["one that outlives its end", "kill", OPEN, 4800, "nor when they were killed after 2000 ms", "being undone"],
    ["one before its end", "kill", OPEN, 1500, "transactions on old did not end within 1500 ms\n", "being undone"],
    ["a statement", "wait", RUNS, NEARLY, "statements on old did not end within 2001 ms", "killed with --open-tr"],
    ["a statement", "abort", RUNS, NEARLY, "statements on old did not end within 2001 ms", "more with drainTimeoutMs."],
    ["a proxy", "abort", SILENT, NEARLY, "not every proxy has said within 2001 ms", "Look at the log of a proxy"],
    ["a proxy", "kill", DRAINS, 4800, "not every proxy has said within 4800 ms", "Look at the log of a proxy"],
  ])("%s, under %s", (_, openTransactions, pending, waitedMs, what, fix) => {
    const { message, facts } = notDrained(attempt({ openTransactions }), [pending], waitedMs);
    expect(message).toContain(what);
    expect(facts.fix).toContain(fix);
    expect(message.includes("--open-transactions=kill")).toBe(openTransactions === "wait");
  });
});

describe("sessions that are not ready are told with what helps", () => {
  const blocked = (kind: BlockedKind) => ({ blocked: [{ proxy: "p1", session: session(kind) }], proxies: [] });
  const PROXY = { blocked: [], proxies: ["proxy p1: is still preparing"] };

  test.each<[string, Insistence, Parameters<typeof notReady>[2], string, string]>([
    ["one that is pinned", "abort", blocked("pinned"), "With --pinned=wait they are waited for", "Mend"],
    ["one that is pinned", "wait", blocked("pinned"), "more with armTimeoutMs, or have them ended", "--pinned=wait"],
    ["one that is pinned", "kill", blocked("pinned"), "They were to be ended after 2000 ms", "--pinned"],
    [
      "one that is not let in",
      "abort",
      blocked("login"),
      "Mend what keeps sessions from logging in to new",
      "--pinned",
    ],
    ["one that is not let in", "kill", blocked("login"), "Mend what keeps sessions from logging in to new", "--pinned"],
    ["a proxy", "abort", PROXY, "more with armTimeoutMs", "--pinned"],
  ])("%s, under %s", (_, pinned, unready, fix, notThis) => {
    const { facts } = notReady(attempt({ pinned }), "why", unready);
    expect(facts.fix).toContain(fix);
    expect(facts.fix).not.toContain(notThis);
    expect(facts.details).toHaveLength(1);
  });
});

describe("a proxy without a sign of life during a hold", () => {
  /** The attempt of a controller whose claim was written at revision 3, and reads a claim of `revision` there. */
  function drained(revision: number): { readonly killed: string[]; readonly ended: Promise<void> } {
    const killed: string[] = [];
    const session = {
      lost: new AbortController().signal,
      connectionsOf: () => Promise.resolve(killed.length === 0 ? ["41"] : []),
      kill: (ids: readonly string[]) => {
        killed.push(...ids);
        return Promise.resolve(ids);
      },
    };
    const ports = {
      newToken: () => "switch-1",
      clock: { monotonicMs: () => 0, sleep: () => Promise.resolve() },
      signal: new AbortController().signal,
      leadership: () => [{ key: "claim", revision: 3 }],
      store: { get: () => Promise.resolve({ key: "claim", value: "", revision }) },
    } as unknown as SwitchPorts;
    const gone = { ...SILENT, document: { ...SILENT.document, bootNonce: "nonce" }, alive: false };
    const view = { waitFor: (_: number, look: (all: readonly RegisteredProxy[]) => unknown) => look([gone]) };
    const proxies = view as unknown as ProxyView;
    const limits = DEFAULT_SWITCH_LIMITS;
    return {
      killed,
      ended: drain({
        ...attempt({}),
        ports,
        options: { migration: "m", kind: "switch", who: "ann", limits },
        proxies,
        oldSession: session as never,
      }),
    };
  }

  test("is ended on the servers by the controller that runs the migration", async () => {
    const { killed, ended } = drained(3);
    await ended;
    expect(killed).toEqual(["41"]);
  });

  test("is well where the store was away and all leases have ended, the controller's own too: its clients are left alone", async () => {
    const { killed, ended } = drained(0);
    await expect(ended).rejects.toMatchObject({ code: "CUTOVER_SUPERSEDED" });
    expect(killed).toEqual([]);
  });
});
