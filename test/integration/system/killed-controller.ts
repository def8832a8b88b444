import { expect } from "vitest";
import { FAILPOINTS, type Failpoint } from "../../../src/base/failpoints.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

/**
 * In which circumstances a failpoint has to kill: while the tables change home, one way and the other, while rows flow
 * back to the old home, and while rows are copied and a migration begins and ends.
 */
export type Circumstance = "switch" | "rollback" | "flowing back" | "moving";

const SETTLE_LOOKS = 1200;
const SETTLE_LOOK_MS = 50;
const MOVE_TRIES = 5;
const WRITERS = 4;
const THINK_MS = 15;

/** Where a failpoint has to kill, by what it is a point of; one of a kind not named here is looked for while moving. */
function circumstancesOf(point: Failpoint): readonly Circumstance[] {
  if (/^(switch|abort)-/.test(point)) return ["switch", "rollback"];
  if (/^(catch-up|ddl|diff|stream)-/.test(point)) return ["moving", "flowing back"];
  // A repointing takes a server that fails over; it is killed where the tests have one.
  if (point.startsWith("repoint-")) return [];
  return ["moving"];
}

/** The failpoints that have to kill in these circumstances. */
export function failpointsOf(circumstance: Circumstance): readonly Failpoint[] {
  return FAILPOINTS.filter((point) => circumstancesOf(point).includes(circumstance));
}

/**
 * The whole program on two real servers, clients that write through it without pause, and a controller that is killed
 * with SIGKILL at one failpoint after the other. One system serves all tests of a file; each leaves it usable.
 */
export class KilledController {
  readonly system: TestSystem;
  readonly #reached = new Set<string>();
  #serve: ServeProcess | undefined;
  #writers: LedgerWriters | undefined;

  private constructor(system: TestSystem) {
    this.system = system;
  }

  static async start(): Promise<KilledController> {
    const killed = new KilledController(await TestSystem.start());
    await killed.system.resetTables();
    return killed;
  }

  get serve(): ServeProcess {
    if (this.#serve === undefined) throw new Error("nothing serves yet");
    return this.#serve;
  }

  get writers(): LedgerWriters {
    if (this.#writers === undefined) throw new Error("nobody writes yet");
    return this.#writers;
  }

  /** Starts `serve`, and the clients. A controller that keeps being killed is started again without a long wait. */
  async begin(): Promise<void> {
    const limits = "limits: { childRestartMaxMs: 100, diffRefreshSeconds: 1 }";
    this.#serve = await this.system.serve({ config: `${this.system.config}\n${limits}` });
    this.#writers = new LedgerWriters(this.system.appUrl(this.#serve), WRITERS, THINK_MS);
    await this.#writers.start();
  }

  async stop(): Promise<void> {
    await this.#writers?.stop();
    await this.#serve?.stop();
    await this.system.stop();
  }

  async create(id: string): Promise<void> {
    await this.succeeds("migration", "create", id, "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
  }

  /** Runs a command that must succeed. */
  async succeeds(...args: readonly string[]): Promise<void> {
    const result = await this.serve.run(...args);
    expect(result, this.#told(args, result)).toMatchObject({ exit: 0 });
  }

  /** Switches or rolls back; one that is refused or given up, as on a busy machine, has changed nothing and is run again. */
  async moves(kind: "switch" | "rollback", id: string): Promise<void> {
    for (let tries = 1; tries < MOVE_TRIES; tries += 1) {
      const { exit } = await this.serve.run(kind, id);
      if (exit === 0) return;
      if (exit !== 3 && exit !== 4) break;
      await this.settled(id, "running", "switched");
    }
    await this.succeeds(kind, id);
  }

  /**
   * Runs `work` with the failpoints armed, the first to kill, then each next one to kill the controller that was started
   * in its place. Fails where one did not kill, and where clients were told an error.
   */
  async killing<T>(circumstance: Circumstance, points: readonly Failpoint[], work: () => Promise<T>): Promise<T> {
    this.serve.armFailpoints(...points);
    const result = await work();
    for (let looks = 0; this.serve.failpointsLeft.length > 0 && looks < SETTLE_LOOKS; looks += 1) await nap();
    expect(this.serve.failpointsLeft, "failpoints that killed nothing").toEqual([]);
    for (const point of points) this.#reached.add(`${circumstance}: ${point}`);
    return result;
  }

  /**
   * Runs a switch or rollback with failpoints armed, see {@link killing}. One that is refused or given up before it comes
   * to the first point, as on a busy machine, has changed nothing and is run again.
   */
  async killingMove(
    kind: "switch" | "rollback",
    id: string,
    points: readonly Failpoint[],
    how: readonly string[] = [],
  ): Promise<CommandResult> {
    return await this.killing(kind, points, async () => {
      for (let tries = 1; ; tries += 1) {
        const result = await this.serve.run(kind, id, ...how);
        const unreached = this.serve.failpointsLeft.length === points.length;
        if (!unreached || ![3, 4].includes(result.exit) || tries === MOVE_TRIES) return result;
        await this.settled(id, "running", "switched");
      }
    });
  }

  /** Waits until the migration rests in one of `phases`, with nothing of an attempt left and a controller at work. */
  async settled(id: string, ...phases: readonly string[]): Promise<string> {
    let last = "";
    for (let looks = 0; looks < SETTLE_LOOKS; looks += 1) {
      const answer = await this.serve.get(`/v1/migrations/${id}`);
      const migration = answer["migration"] as { readonly phase?: string; readonly attempt?: unknown } | undefined;
      last = JSON.stringify(migration);
      if (migration?.phase !== undefined && migration.attempt === undefined && phases.includes(migration.phase)) {
        return migration.phase;
      }
      await nap();
    }
    throw new Error(`${id} does not settle in ${phases.join(" or ")}: ${last}\n${this.serve.log.slice(-5000)}`);
  }

  /** Every write that was acknowledged is at `home`, once, and no client was told an error. */
  async nothingIsLost(home: "old" | "new"): Promise<void> {
    expect(await this.writers.checkSoFar(this.system[home]), this.serve.log.slice(-5000)).toEqual([]);
  }

  /** Ends the clients and compares every single write with what they were told. */
  async finalCheck(home: "old" | "new"): Promise<void> {
    await this.writers.stop();
    expect(this.writers.told).toMatchObject({ errors: [], unknown: 0 });
    expect(this.writers.told.acknowledged).toBeGreaterThan(500);
    expect(await this.writers.check(this.system[home])).toEqual([]);
  }

  /** Fails for each failpoint that has to kill in these circumstances and that no test has reached. */
  everyFailpointWasReached(circumstance: Circumstance): void {
    const missing = failpointsOf(circumstance).filter((point) => !this.#reached.has(`${circumstance}: ${point}`));
    expect(missing, `failpoints at which no controller was killed (${circumstance})`).toEqual([]);
  }

  #told(args: readonly string[], { stdout, stderr }: CommandResult): string {
    return `${args.join(" ")}\n${stdout}${stderr}\n${this.serve.log.slice(-3000)}`;
  }
}

function nap(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_LOOK_MS));
}
