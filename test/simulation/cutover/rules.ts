import { PROFILES } from "./profiles.ts";
import { type Faults, type RunOptions, WAIT_MAX_MS } from "./run-options.ts";
import * as scenes from "./scenes.ts";
import * as weakened from "./weakenings.ts";

export interface Rule {
  readonly rule: string;
  /** What SPEC.md calls that which it holds up. */
  readonly invariants: string;
  readonly faults?: Faults;
  /** The run without the rule. */
  readonly without: Partial<RunOptions>;
  /** A scene that keeps count of what it has done: made anew for each run. */
  readonly scene?: () => Partial<RunOptions>;
  /** The same story with the rule kept, where that must end well at each seed tried. */
  readonly kept?: Partial<RunOptions>;
  readonly failure: RegExp;
}

/** Neither lock nor fence on the servers, and nobody who goes past the proxies: what is safe is safe by the proxies. */
const UNFENCED = { weaken: weakened.unfenced, unfenced: true, bypass: false } as const;

/** What fails when a rule is not kept. Without these, a simulation that finds nothing would say nothing. */
export const RULES: readonly Rule[] = [
  {
    rule: "the old home is locked while the tables change hands",
    invariants: "A1, A3",
    without: { weaken: weakened.withoutFence },
    kept: {},
    failure: /acknowledged write bypass|took a write/,
  },
  {
    rule: "the old home refuses writes for good",
    invariants: "A3",
    without: { weaken: weakened.withoutLastingFence, unfenced: true },
    kept: {},
    failure: /took a write past the proxies/,
  },
  {
    rule: "the new home's counters are raised under the fence",
    invariants: "A8",
    without: { weaken: weakened.withoutCounters },
    failure: /id \d+ was given/,
  },
  {
    rule: "a transaction of the switch depends on the rules it was made from",
    invariants: "B1",
    faults: PROFILES["messages to and from the store lost or late"],
    without: { weaken: weakened.withoutRevisions },
    failure: /was told: fenced|acknowledged write|took a write/,
  },
  {
    rule: "an armed proxy serves by its lease alone",
    invariants: "A7",
    without: { licenceOff: true, scene: scenes.cutOffWhileArmed },
    failure: /a read through proxy\d+ saw/,
  },
  {
    rule: "connections of proxies that vanished are ended, where no fence stands",
    invariants: "D1, D2",
    faults: PROFILES["proxies killed, stopped and cut off"],
    without: { ...UNFENCED, weaken: (ports) => weakened.withoutKills(weakened.unfenced(ports)), activeMs: 1500 },
    failure: /acknowledged write|took a write although/,
  },
  {
    rule: "connections of proxies that have not taken the new rules are ended before the old home is unlocked",
    invariants: "A7, D2",
    without: { weaken: weakened.withoutKills, scene: scenes.stoppedWhileArmed, slowShare: 0.2, activeMs: 1500 },
    kept: { scene: scenes.stoppedWhileArmed, slowShare: 0.2, activeMs: 1500 },
    failure: /a read through proxy\d+ saw/,
  },
  {
    rule: "holds and rules are looked at again in the turn in which the first byte goes out",
    invariants: "D5",
    without: { ...UNFENCED, weakProxy: "decides-early" },
    kept: UNFENCED,
    failure: /acknowledged write|id \d+ was given/,
  },
  {
    rule: "a proxy says that it is drained once what was open has ended",
    invariants: "D6",
    without: { ...UNFENCED, weakProxy: "drains-at-once" },
    kept: UNFENCED,
    failure: /took a write although|acknowledged write/,
  },
  {
    rule: "a transaction that waits between its statements is not drained",
    invariants: "D6",
    without: {
      ...UNFENCED,
      weakProxy: "forgets-transactions",
      weaken: (ports) => weakened.withoutHolders(weakened.unfenced(ports)),
    },
    kept: { ...UNFENCED, weaken: (ports) => weakened.withoutHolders(weakened.unfenced(ports)) },
    failure: /took a write although|acknowledged write|id \d+ was given/,
  },
  {
    rule: "a stream writes under the ledger's epoch alone",
    invariants: "A2, E3",
    faults: PROFILES["controllers killed, stopped and cut off at every step"],
    without: { epochsOff: true },
    kept: {},
    failure: /is 2 times on/,
  },
  {
    rule: "a start position is used for the attempt that it was written by",
    invariants: "E1",
    without: { weaken: weakened.withoutTokensOfPositions },
    kept: {},
    failure: /is 2 times on/,
  },
  {
    rule: "a stream whose tables have left cannot be begun again",
    invariants: "A2, E2",
    scene: scenes.lateStream,
    // That its ledger is sealed is a second bar, for the same; so it is taken away from both.
    without: { weaken: weakened.withoutRetirement, sealsOff: true },
    kept: { sealsOff: true },
    failure: / is 2 times on /,
  },
  {
    rule: "a ledger that an attempt has sealed is opened by that attempt's abort alone",
    invariants: "A1, A10, E5",
    scene: scenes.lateReturn,
    without: { sealsOff: true },
    kept: {},
    failure: /acknowledged write proxy\d+-c\d+\/\d+ is 0 times|is on old alone/,
  },
  {
    rule: "a ledger is sealed by the stream that holds it alone",
    invariants: "A9, E6",
    scene: scenes.lateSeal,
    without: { lateSeals: true },
    kept: {},
    failure: /did not come to rest|has not caught up/,
  },
  {
    rule: "an attempt is settled in the store before its lock goes",
    invariants: "B4",
    scene: scenes.lateSwap,
    // Leadership's own condition would keep the late swap out as well; here the order has to do it alone.
    without: { weaken: (ports) => weakened.unlocksFirst(weakened.withoutLeadership(ports)) },
    kept: { weaken: weakened.withoutLeadership },
    failure: /acknowledged write bypass|id \d+ was given/,
  },
  {
    rule: "the ledger of the stream that feeds the new home is sealed before the swap",
    invariants: "A1, E3",
    // That the stream stays at the cut is a second bar, for the same; so it is taken away from both.
    without: {
      weaken: (ports) => weakened.withoutStay(weakened.withoutSeal(ports)),
      scene: scenes.lockLostAroundSwap,
    },
    kept: { weaken: weakened.withoutStay, scene: scenes.lockLostAroundSwap },
    failure: /acknowledged write proxy\d+-c\d+\/\d+ is 0 times/,
  },
  {
    rule: "the stream that feeds the new home stays at the cut",
    invariants: "A1, E4",
    // That its ledger is sealed is a second bar, for the same; so it is taken away from both.
    without: {
      weaken: (ports) => weakened.withoutStay(weakened.withoutSeal(ports)),
      scene: scenes.lockLostAroundSwap,
    },
    kept: { weaken: weakened.withoutSeal, scene: scenes.lockLostAroundSwap },
    failure: /acknowledged write proxy\d+-c\d+\/\d+ is 0 times/,
  },
  {
    rule: "fences of the new home give way to guards",
    invariants: "C9",
    without: { weaken: weakened.withoutGuards },
    kept: {},
    failure: /took a write past the proxies/,
  },
  {
    rule: "a guard whose lock is gone goes on refusing whoever comes past the proxies",
    invariants: "A3, C9",
    without: { guardsPassAll: true },
    kept: {},
    failure: /took a write past the proxies/,
  },
  {
    rule: "fences of the new home are gone before it takes writes",
    invariants: "A4, C9",
    without: { weaken: weakened.withFencesLeft },
    kept: {},
    failure: /was told: fenced/,
  },
  {
    rule: "a write to the new home that is not ours aborts",
    invariants: "C11",
    without: { weaken: weakened.withoutWatching, scene: scenes.writesToNewHome },
    kept: { scene: scenes.writesToNewHome },
    failure: /before the swap, and nobody was told/,
  },
  {
    rule: "a round trip proves the lock right before the swap",
    invariants: "A1, C6",
    without: { weaken: weakened.withSlowProof(false), scene: scenes.lockLostBeforeSwap },
    kept: { weaken: weakened.withSlowProof(true), scene: scenes.lockLostBeforeSwap },
    failure: /acknowledged write bypass\d+\/\d+ is 0 times/,
  },
  {
    rule: "where the lock was lost around the swap, strays are looked for",
    invariants: "C6",
    without: { weaken: weakened.withoutWatching, scene: scenes.lockLostAroundSwap },
    kept: { scene: scenes.lockLostAroundSwap },
    failure: /acknowledged write bypass\d*\/\d+ is 0 times|and nobody was told/,
  },
  {
    rule: "a controller that takes over settles the store before it touches a lock",
    invariants: "B4",
    scene: scenes.lateSwapOfTheLast,
    // Leadership's own condition would keep the late swap out as well; here the order has to do it alone.
    without: { weaken: (ports) => weakened.unlocksFirst(weakened.withoutLeadership(ports)) },
    kept: { weaken: weakened.withoutLeadership },
    failure: /acknowledged write bypass|id \d+ was given|took a write/,
  },
  {
    rule: "a controller that takes over ends the sessions of the one before",
    invariants: "C1, C14",
    scene: scenes.lateFence([1, 12]),
    without: { sessionsShared: true },
    kept: {},
    failure: /was told: fenced|took a write|did not come to rest/,
  },
  {
    rule: "what an abort undoes is undone only while the journal names it",
    invariants: "C14",
    scene: scenes.lateFence([0, 0]),
    // That its stream cannot be claimed again is a second bar; so the stream is not asked for at all.
    without: { weaken: (ports) => weakened.withoutReadingAgain(weakened.withoutResuming(ports)) },
    kept: { weaken: weakened.withoutResuming },
    failure: /was told: fenced|took a write|did not come to rest/,
  },
  {
    rule: "a table lock is asked for once no transaction stands there",
    invariants: "A4, C4",
    // That proxies drain is a second bar for their own clients; so it is taken away from both.
    without: { weakProxy: "drains-at-once", weaken: weakened.withoutHolders },
    kept: { weaken: weakened.withoutHolders },
    failure: /was told: deadlock/,
  },
  {
    rule: "a table lock is pending for a bounded time",
    invariants: "C5",
    without: { weaken: weakened.withoutBoundedLock, scene: scenes.longReaders, waitMaxMs: 650 },
    kept: { scene: scenes.longReaders, waitMaxMs: 650 },
    failure: /waited \d+ ms/,
  },
  {
    rule: "a hold that has outlived its time is removed by any proxy",
    invariants: "B7",
    without: { weakProxy: "keeps-holds", scene: scenes.noControllersLeft, waitMaxMs: WAIT_MAX_MS, activeMs: 2000 },
    kept: { scene: scenes.noControllersLeft, waitMaxMs: WAIT_MAX_MS, activeMs: 2000 },
    failure: /waited \d+ ms/,
  },
  {
    rule: "a hold is never written twice under one token",
    invariants: "B3",
    without: {
      ...UNFENCED,
      weaken: (ports) => weakened.withHoldsWrittenAgain(weakened.unfenced(ports)),
      scene: scenes.holdGivenUpEarly,
    },
    kept: { ...UNFENCED, scene: scenes.holdGivenUpEarly },
    failure: /acknowledged write|took a write although|a read through|id \d+ was given/,
  },
  {
    rule: "what begins in a proxy's place has an id of its own",
    invariants: "D10",
    without: { ...UNFENCED, weakProxy: "comes-back-under-its-id", scene: scenes.vanishesWhileArmed, slowShare: 0.2 },
    kept: { ...UNFENCED, scene: scenes.vanishesWhileArmed, slowShare: 0.2 },
    failure: /acknowledged write|took a write although|id \d+ was given|and nobody was told/,
  },
  {
    rule: "DDL that has come since the gate aborts",
    invariants: "C18",
    without: { weaken: weakened.withoutLookAtDdl, scene: scenes.alteredMeanwhile },
    kept: { scene: scenes.alteredMeanwhile },
    failure: /although their definitions differ/,
  },
  {
    rule: "a controller that learns that it was replaced leaves its locks to the next one",
    invariants: "A3, B6",
    faults: PROFILES["controllers killed, stopped and cut off at every step"],
    without: { weaken: weakened.closingWhenReplaced },
    kept: {},
    failure: /took a write past the proxies/,
  },
  {
    rule: "locks that no successor looks for are let go of once the journal does not name their attempt",
    invariants: "A9, B6",
    faults: PROFILES["controllers killed, stopped and cut off at every step"],
    without: { weaken: weakened.withoutLettingGo },
    kept: {},
    failure: /did not come to rest/,
  },
  {
    rule: "what a watch tells once more, after what came later, changes nothing",
    invariants: "B8",
    faults: PROFILES["messages to and from the store lost or late"],
    without: { weakProxy: "believes-old-news" },
    kept: {},
    failure: /was told: fenced|took a write although|a read through/,
  },
  {
    rule: "rules and journal change in one transaction",
    invariants: "B9",
    without: { weaken: weakened.withDocumentsApart },
    kept: {},
    failure: /the store shows/,
  },
  {
    rule: "between opening its sessions and using them a controller reads the journal again",
    invariants: "A9, C2",
    without: { weaken: weakened.withoutSecondLook, scene: scenes.lateSessions },
    kept: { scene: scenes.lateSessions },
    failure: /did not come to rest/,
  },
  {
    rule: "a table lock passes to a successor without a gap",
    invariants: "A3, C3",
    faults: PROFILES["controllers killed, stopped and cut off at every step"],
    without: { weaken: weakened.withGapInTakeover },
    kept: {},
    failure: /took a write past the proxies/,
  },
  {
    rule: "the journal is read between finding who holds the migration's lock and ending that session",
    invariants: "C15",
    scene: scenes.lateFence([1, 12]),
    without: { weaken: weakened.withoutAskingBeforeKills },
    kept: {},
    failure: /ends a session of/,
  },
  {
    rule: "DDL that waits behind the fence is ended before the unlock",
    invariants: "C21",
    without: { weaken: weakened.withoutEndingDdl, scene: scenes.alteredBehindFence },
    kept: { scene: scenes.alteredBehindFence },
    failure: /was altered though the tables are at home on/,
  },
  {
    rule: "the licence binds only while a migration is armed",
    invariants: "D7",
    without: {
      weakProxy: "licensed-always",
      scene: scenes.storeAwayInPeace,
      waitMaxMs: WAIT_MAX_MS,
      strictWaits: true,
      activeMs: 2500,
    },
    kept: { scene: scenes.storeAwayInPeace, waitMaxMs: WAIT_MAX_MS, strictWaits: true, activeMs: 2500 },
    failure: /waited \d+ ms/,
  },
  {
    rule: "the licence is looked at in the turn in which the first byte goes out",
    invariants: "D5",
    faults: PROFILES["proxies killed, stopped and cut off"],
    without: { ...UNFENCED, weakProxy: "asks-licence-early", scene: scenes.stoppedWhileArmed, activeMs: 1500 },
    kept: { ...UNFENCED, scene: scenes.stoppedWhileArmed, activeMs: 1500 },
    failure: /took a write although|acknowledged write|id \d+ was given|a read through/,
  },
  {
    rule: "a proxy that is not heard of blocks the arming",
    invariants: "D3",
    without: { weaken: weakened.withoutTheSilent, scene: scenes.cutOffBeforeArming, activeMs: 1500 },
    kept: { scene: scenes.cutOffBeforeArming, activeMs: 1500 },
    failure: /a read through proxy\d+ saw/,
  },
  {
    rule: "a proxy joins only if the rules are still those that it has read",
    invariants: "D4",
    // That its watch begins before it serves is a second bar, for the same; so it is taken away from both.
    without: { weakProxy: "joins-blindly", lateWatch: true, scene: scenes.slowProxyJoins },
    kept: { lateWatch: true, scene: scenes.slowProxyJoins },
    failure: /a read through proxy\d+ saw|was told: fenced/,
  },
  {
    rule: "a transaction that has touched only other tables so far is waited for",
    invariants: "A4, D6",
    without: { weakProxy: "forgets-other-tables" },
    kept: {},
    failure: /was told: moved/,
  },
  {
    rule: "a transaction that was begun during a hold waits when it reaches the tables",
    invariants: "D6",
    without: { weakProxy: "lets-later-transactions" },
    kept: {},
    failure: /was told: fenced|acknowledged write|took a write/,
  },
  {
    rule: "a held statement whose client has gone is not sent",
    invariants: "D8",
    without: { weakProxy: "sends-for-the-gone" },
    kept: {},
    failure: /although its client had gone/,
  },
  {
    rule: "a transaction that was ended by order is told to its client at the next statement",
    invariants: "A1, D9",
    without: { weakProxy: "hides-the-undone", kills: 3 },
    kept: { kills: 3 },
    failure: /acknowledged write/,
  },
];

/** What nothing fails without, and why it is kept. */
export const SPARE: readonly (Pick<Rule, "rule" | "invariants" | "faults" | "without"> & { readonly since: string })[] =
  [
    {
      rule: "a round trip proves the lock right after the swap",
      invariants: "C6",
      faults: PROFILES["sessions killed on the servers"],
      without: { weaken: weakened.withoutSecondProof, scene: scenes.lockLostAroundSwap },
      since:
        "the steps that follow use the same session, and the old home's position is asked for in it before strays are looked for: a session that was lost is found by then, the home fenced again, and what got in is shown. The round trip finds it before proxies are waited for, for as long as `releaseTimeoutMs`; so less gets in",
    },
    {
      rule: "each write of a controller depends on its claim",
      invariants: "B5",
      faults: PROFILES["controllers killed, stopped and cut off at every step"],
      without: { weaken: weakened.withoutLeadership },
      since:
        "each write also depends on the revisions of what it was made from, and on the attempt's own token: whoever was replaced finds them changed once the next controller has settled, and that comes first. The claim ends it sooner, and by its name",
    },
  ];

/** What is not simulated, and where it is held up instead; these and what fails above are all of B to E in SPEC.md. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  B2: "that nothing is guessed is a matter of one function, `decide.ts`, which has its own tests; here it is part of every run with messages that are lost or late",
  C7: "how long a server keeps an idle session is the server's: real servers",
  C8: "who is refused, by which statement and as which user: real servers",
  C10: "how a guard tells a proxy's client from others, and for how long, is a trigger's: real servers",
  C12: "what gets past triggers is in a binary log alone: real servers",
  C13: "a comment in the statements of a binary log: real servers",
  C16: "a server that never answers: tests of the steps' budget and of aborts, and real servers",
  C17: "`read_only`: real servers",
  C19: "how a lock for writing stands to readers that were let in is the server's: real servers",
  C20: "where no fence stands there is none to switch off; `cutover.test.ts` has the runs",
  C22: "how streams read rows is not simulated; the named test begins one on real servers",
  C23: "what a KILL does to a server whose disk is full is the server's: the named tests, on a real one",
};
