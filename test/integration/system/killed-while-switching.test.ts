import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { BypassingWriter } from "../../support/bypassing-writer.ts";
import type { CommandResult } from "../../support/serve-process.ts";
import { KilledController } from "./killed-controller.ts";

type Kind = "switch" | "rollback";

/** One way by the lock; the other way by turns by what else there is. */
const OTHER_FENCES = [
  ["--fence=lock-read"],
  ["--fence=none", "--force", "--reason=nobody goes past the proxies"],
] as const;

const CASE_TIMEOUT_MS = 150_000;

/**
 * Before the tables have changed home, a kill ends in an abort by whoever leads next; where a second point is named, that
 * one is killed as well, in the midst of the abort.
 */
const ABORTED: readonly (readonly Failpoint[])[] = [
  ["switch-after-gate"],
  ["switch-after-journal"],
  ["switch-after-sessions"],
  ["switch-after-clear"],
  ["switch-after-arm"],
  ["switch-after-hold", "abort-before-settled"],
  ["switch-after-drain", "abort-after-settled"],
  ["switch-after-fence", "abort-after-unlock"],
  ["switch-after-forward-closed", "abort-after-fence-restored"],
  ["switch-after-counters"],
  ["switch-after-stray-check"],
  ["switch-before-swap"],
];

/** From then on, whoever leads next finishes it. */
const FINISHED = [
  "switch-after-swap",
  "switch-after-release",
  "switch-after-lasting-fence",
  "switch-after-unlock",
  "switch-after-retirement",
  "switch-after-return-stream",
  "switch-after-guards",
] as const satisfies readonly Failpoint[];

const ENDS = {
  switch: { before: "running", after: "switched", oldHome: "old", newHome: "new" },
  rollback: { before: "switched", after: "running", oldHome: "new", newHome: "old" },
} as const;

/**
 * 1. Clients write through the proxy without pause.
 * 2. The tables change home, or change back; the controller is killed with SIGKILL at a point of it.
 * 3. It is started again by itself, and nobody does anything.
 * 4. It ends either as it was before or with all at the new home; the clients have seen a pause.
 *
 * While the tables change back somebody writes past the proxy, straight to the server that they are to come back to. Between
 * the steps `clear` and `remove-guards` no fence stands there, and nobody who could keep it shut is left once the controller is
 * dead: he must be refused all the same until the tables are at home there, and the proxy's clients must not from then on.
 */
describe("a controller that is killed while the tables change home", () => {
  let killed: KilledController;
  beforeAll(async () => {
    killed = await KilledController.start();
    await killed.begin();
    await killed.create("m");
    await killed.succeeds("diff", "start", "m");
  }, 120_000);
  afterAll(() => killed?.stop(), 60_000);

  /** Brings the tables to where `kind` begins, whatever the test before has left. */
  const bring = async (kind: Kind): Promise<void> => {
    const phase = await killed.settled("m", "running", "switched");
    if (phase !== ENDS[kind].before) await killed.moves(kind === "switch" ? "rollback" : "switch", "m");
    await killed.settled("m", ENDS[kind].before);
  };

  let moves = 0;
  const fenced = (kind: Kind): readonly string[] =>
    kind === "switch" ? [] : (OTHER_FENCES[moves++ % OTHER_FENCES.length] ?? []);

  /** The number of the client who writes past the proxy. */
  let client = -1;

  /**
   * Does `work` while somebody writes straight to the old server: of that he was refused at first, acknowledged only what
   * he may be, and all of that is there.
   */
  const pastWhile = async <T>(work: () => Promise<T>, acknowledged: "nothing" | "what came after"): Promise<T> => {
    const { old } = killed.system;
    const writer = new BypassingWriter(--client);
    writer.start(killed.system.appUrl(old));
    let result: T;
    try {
      result = await work();
    } finally {
      await writer.stop();
    }
    const rows = await old.root(`SELECT sequence FROM ledger.entry WHERE client = ${client} ORDER BY sequence`);
    expect(rows.map((row) => Number(row["sequence"]))).toEqual(writer.acknowledged);
    if (acknowledged === "nothing") expect(writer.acknowledged).toEqual([]);
    expect(writer.refused).toBeGreaterThan(0);
    for (const reason of writer.reasons) expect(reason).toMatch(/^switchyard: ledger\.entry /);
    return result;
  };

  const abortedAt = (kind: Kind, points: readonly Failpoint[]): void => {
    test(
      `${kind}: at ${points.join(" and ")} leaves everything as it was`,
      async () => {
        await bring(kind);
        const move = async (): Promise<CommandResult> => {
          const told = await killed.killingMove(kind, "m", points, fenced(kind));
          expect(await killed.settled("m", "running", "switched")).toBe(ENDS[kind].before);
          return told;
        };
        const result = kind === "switch" ? await move() : await pastWhile(move, "nothing");
        expect(result.exit, result.stdout + result.stderr).toBe(4);
        await killed.nothingIsLost(ENDS[kind].oldHome);
      },
      CASE_TIMEOUT_MS,
    );
  };

  const finishedAt = (kind: Kind, point: Failpoint): void => {
    test(
      `${kind}: at ${point} ends with the tables at their new home`,
      async () => {
        await bring(kind);
        const move = async (): Promise<CommandResult> => {
          const told = await killed.killingMove(kind, "m", [point], fenced(kind));
          expect(await killed.settled("m", "running", "switched")).toBe(ENDS[kind].after);
          return told;
        };
        const result = kind === "switch" ? await move() : await pastWhile(move, "what came after");
        expect(result.exit, result.stdout + result.stderr).toBe(0);
        await killed.nothingIsLost(ENDS[kind].newHome);
      },
      CASE_TIMEOUT_MS,
    );
  };

  // In this order each test begins where the one before has ended.
  const [first, ...others] = FINISHED;
  for (const kind of ["switch", "rollback"] as const) {
    for (const points of ABORTED) abortedAt(kind, points);
    finishedAt(kind, first);
  }
  for (const point of others) {
    finishedAt("switch", point);
    finishedAt("rollback", point);
  }

  test("no failpoint was left out, either way", () => {
    killed.everyFailpointWasReached("switch");
    killed.everyFailpointWasReached("rollback");
  });

  test(
    "leaves a system that goes on: a diff is clean, and every acknowledged write is there once",
    async () => {
      await bring("switch");
      await killed.succeeds("diff", "start", "m");
      await killed.finalCheck("old");
      // Nobody has gone past the proxies: what clients write to a home is not taken for a write to the one that was left.
      const { history } = (await killed.serve.get("/v1/migrations/m/history")) as { history: { what: string }[] };
      expect(history.filter(({ what }) => what.includes("that are not ours"))).toEqual([]);
    },
    CASE_TIMEOUT_MS,
  );
});
