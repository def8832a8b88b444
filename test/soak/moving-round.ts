import { setTimeout as sleep } from "node:timers/promises";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { forgetLogsBefore, newLog, readLogs } from "./log-oracle.ts";
import { breakBy, killAt, randomFault } from "./replication-faults.ts";
import type { Home, ReplicationPair } from "./replication-pair.ts";

/** What all rounds have done and found. */
export interface RoundTally {
  kills: number;
  readonly faults: Map<string, number>;
  /** Named points at which no process was killed yet. */
  readonly points: Set<Failpoint>;
  readonly findings: string[];
}

export interface RoundOptions {
  readonly pair: ReplicationPair;
  readonly id: string;
  readonly random: () => number;
  /** Of the faults at random moments, only those whose names hold this. */
  readonly only: string;
  readonly tally: RoundTally;
  /** No more faults: the round goes to its end without. */
  readonly isOver: () => boolean;
  readonly tell: (line: string) => void;
}

const COPYING: readonly Failpoint[] = [
  "copy-after-snapshot",
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "stream-after-claim",
];
const KEYING: readonly Failpoint[] = ["copy-before-keys", "copy-after-keys"];
const FOLLOWING: readonly Failpoint[] = ["catch-up-before-commit", "catch-up-after-commit", "stream-after-claim"];

/** All at which the stream's process is killed. */
export const REPLICATION_POINTS: readonly Failpoint[] = [...new Set([...COPYING, ...KEYING, ...FOLLOWING])];

/** Slow enough that a copy takes longer than a snapshot may stay open. */
const COPY_BYTES_PER_SECOND = 4_000_000;
const BACKLOG_MS = 1500;
const STRETCH_MS_MAX = 30_000;
const PAUSE_MS_MAX = 400;
const POINT_WAIT_MS = 5000;
/** What is left of the copy comes before them. */
const KEYS_WAIT_MS = 20_000;
const STATE_WAIT_MS = 90_000;
const EQUAL_WAIT_MS = 60_000;
const LOOK_MS = 100;
const MOVE_TRIES = 6;

interface MigrationView {
  readonly phase: string;
  readonly attempt?: unknown;
  readonly streams: Readonly<Record<string, { readonly error?: string }>>;
}

/** One migration from its copy to its end: there, back, and cancelled; with faults all the while but for the moves. */
export class MovingRound {
  readonly #o: RoundOptions;

  constructor(options: RoundOptions) {
    this.#o = options;
  }

  async run(): Promise<void> {
    const { pair, id } = this.#o;
    const logs = { old: await newLog(pair.servers.old), new: await newLog(pair.servers.new) };
    for (const link of Object.values(pair.links)) link.bytesPerSecond = COPY_BYTES_PER_SECOND;
    await this.#succeeds("migration", "create", id, "--from", "old", "--to", "new", "--tables", pair.tables.join(","));
    await this.#faults("copying", this.#shuffled(COPYING, 4));
    for (const link of Object.values(pair.links)) link.bytesPerSecond = Number.POSITIVE_INFINITY;
    await this.#faults("keys", KEYING, KEYS_WAIT_MS);
    await this.#inPhase("running");
    await this.#backlog();
    await this.#faults("running", this.#shuffled(FOLLOWING, 6));
    await this.#equal("old");
    await this.#moves("switch", "new");
    await this.#faults("reverse", this.#shuffled(FOLLOWING, 6));
    await this.#equal("new");
    await this.#moves("rollback", "old");
    await this.#faults("running again", this.#shuffled([], 3));
    await this.#equal("old");
    await this.#succeeds("migration", "cancel", id);
    for (const home of ["old", "new"] as const) {
      const { findings, changes } = await readLogs(pair.servers[home], logs[home]);
      this.#o.tally.findings.push(...findings);
      this.#o.tell(`log of ${home}: ${changes} row changes read`);
      await forgetLogsBefore(pair.servers[home], await newLog(pair.servers[home]));
    }
  }

  /**
   * One fault after the other, for as long as a stretch may last; a named point is one at which the stream's process is
   * killed, if it comes there in time.
   */
  async #faults(during: string, plan: readonly (Failpoint | "random")[], waitMs = POINT_WAIT_MS): Promise<void> {
    const { pair, random, tally, isOver, tell } = this.#o;
    const endMs = performance.now() + STRETCH_MS_MAX;
    for (const one of plan) {
      if (isOver() || performance.now() > endMs) return;
      await sleep(random() * PAUSE_MS_MAX);
      const name = one === "random" ? randomFault(random, this.#o.only) : one;
      const kills =
        name === one
          ? Number(await killAt(one as Failpoint, pair, waitMs))
          : await breakBy(name as never, pair, random);
      const reached = kills > 0 || name !== one;
      const shown = `${during}: ${name}${reached ? "" : ", not reached"}`;
      tell(shown);
      tally.kills += kills;
      if (reached) tally.points.delete(one as Failpoint);
      tally.faults.set(shown, (tally.faults.get(shown) ?? 0) + 1);
      await this.#noError();
    }
  }

  /** The stream is behind, and is killed while it catches up. */
  async #backlog(): Promise<void> {
    if (this.#o.isOver()) return;
    await this.#succeeds("migration", "pause", this.#o.id);
    await sleep(BACKLOG_MS);
    await this.#succeeds("migration", "resume", this.#o.id);
    await this.#faults("catching up", this.#shuffled(["catch-up-before-commit", "catch-up-after-commit"], 2));
  }

  /** With nobody writing, both servers come to say the same of every table, and `home` holds what clients know of. */
  async #equal(home: Home): Promise<void> {
    const { pair, tally, tell } = this.#o;
    await pair.rest();
    await this.#inPhase("running", "switched");
    const deadline = performance.now() + EQUAL_WAIT_MS;
    let sums = await this.#checksums();
    while (sums.old !== sums.new && performance.now() < deadline) {
      await sleep(LOOK_MS);
      await this.#noError();
      sums = await this.#checksums();
    }
    if (sums.old !== sums.new) tally.findings.push(`not equal at home ${home}:\n${sums.old}\n${sums.new}`);
    tally.findings.push(...(await pair.writers.check(pair.servers[home])));
    for (const { what } of await this.#history()) if (what.startsWith("drift")) tally.findings.push(what);
    if (tally.findings.length > 0) throw new Error("the servers are not as they should be");
    tell(`equal, ${pair.writers.told.acknowledged} writes at ${home}, ${pair.writers.told.unknown} of unknown outcome`);
    pair.write();
  }

  async #checksums(): Promise<Record<Home, string>> {
    const { pair } = this.#o;
    const sql = `CHECKSUM TABLE ${pair.tables.join(", ")} EXTENDED`;
    // How often each row of the table without a key is there: a checksum is a sum, in which two mistakes may meet.
    const of = async (home: Home): Promise<string> => {
      const server = pair.servers[home];
      return JSON.stringify([await server.root(sql), await server.root(pair.keylessCounts)]);
    };
    const [old, next] = await Promise.all([of("old"), of("new")]);
    return { old, new: next };
  }

  /** Switches or rolls back; one that is refused or given up has changed nothing and is tried again. */
  async #moves(kind: "switch" | "rollback", home: Home): Promise<void> {
    const { pair, id, tell } = this.#o;
    await pair.restDirect();
    for (let tries = 1; ; tries += 1) {
      if (kind === "switch") await this.#succeeds("diff", "start", id);
      const { exit, stdout, stderr } = await pair.serve.run(kind, id);
      if (exit === 0) break;
      if (tries === MOVE_TRIES || (exit !== 3 && exit !== 4)) throw new Error(`${kind}: ${exit}\n${stdout}${stderr}`);
      tell(`${kind} is tried again: ${(stdout + stderr).split("\n")[0]?.slice(0, 200)}`);
      await sleep(1000);
      await this.#inPhase("running", "switched");
    }
    pair.home = home;
    await this.#inPhase(kind === "switch" ? "switched" : "running");
    await pair.restDirect();
    pair.write();
  }

  /** The points, and so many faults at random moments, in any order. */
  #shuffled(points: readonly Failpoint[], more: number): readonly (Failpoint | "random")[] {
    const plan = [...points, ...Array.from({ length: more }, () => "random" as const)];
    return plan
      .map((one) => ({ one, at: this.#o.random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ one }) => one);
  }

  async #succeeds(...args: readonly string[]): Promise<void> {
    const { exit, stdout, stderr } = await this.#o.pair.serve.run(...args);
    if (exit !== 0) throw new Error(`${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
  }

  async #inPhase(...phases: readonly string[]): Promise<void> {
    const deadline = performance.now() + STATE_WAIT_MS;
    for (;;) {
      const { phase, attempt } = await this.#noError();
      if (attempt === undefined && phases.includes(phase)) return;
      if (performance.now() > deadline)
        throw new Error(`the migration does not come to ${phases.join(" or ")}: ${phase}`);
      await sleep(LOOK_MS);
    }
  }

  /** No stream has stopped at something that a person would have to look at. */
  async #noError(): Promise<MigrationView> {
    const migration = await this.#migration();
    for (const [direction, { error }] of Object.entries(migration.streams)) {
      if (error !== undefined) throw new Error(`the ${direction} stream has stopped: ${error}`);
    }
    return migration;
  }

  async #history(): Promise<readonly { readonly what: string }[]> {
    const answer = await this.#o.pair.serve.get(`/v1/migrations/${this.#o.id}/history`);
    return answer["history"] as readonly { readonly what: string }[];
  }

  async #migration(): Promise<MigrationView> {
    const answer = await this.#o.pair.serve.get(`/v1/migrations/${this.#o.id}`);
    return answer["migration"] as MigrationView;
  }
}
