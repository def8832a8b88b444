import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { parseMigration } from "../cutover/journal.ts";
import type { Phase } from "../cutover/phase.ts";
import {
  type ControllerDocument,
  type ControllerName,
  parseController,
  parseLeader,
  parseStreamClaim,
  type StreamClaim,
} from "../rules/controller-documents.ts";
import { CONTROLLERS_PREFIX, LEADER_KEY, MIGRATIONS_PREFIX, STREAMS_PREFIX } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";
import type { ControllerFacts, MigrationFacts } from "./fair-share.ts";
import { type Seen, type WatchedKeys, watchKeys } from "./watched-keys.ts";

type Journal = { readonly source: string; readonly target: string; readonly phase: Phase };
type Leader = Pick<ControllerName, "id"> & Partial<ControllerName>;

export interface FleetViewOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly changed: () => void;
  /** A controller that has lived for so long is steady. */
  readonly steadyAfterMs: number;
  /** A migration that nobody has run for so long is overdue. */
  readonly overdueAfterMs: number;
}

/** Which controllers live, which migrations there are and who runs them, as far as the store has told this process. */
export class FleetView {
  readonly #options: FleetViewOptions;
  readonly #controllers: WatchedKeys<ControllerDocument>;
  readonly #migrations: WatchedKeys<Journal>;
  readonly #claims: WatchedKeys<StreamClaim>;
  readonly #leader: WatchedKeys<Leader>;
  /** When each life of a controller, and each migration without one, was first seen. */
  readonly #since = new Map<string, number>();

  private constructor(
    options: FleetViewOptions,
    watched: [WatchedKeys<ControllerDocument>, WatchedKeys<Journal>, WatchedKeys<StreamClaim>, WatchedKeys<Leader>],
  ) {
    this.#options = options;
    [this.#controllers, this.#migrations, this.#claims, this.#leader] = watched;
  }

  static async open(options: FleetViewOptions): Promise<FleetView> {
    const watched = await Promise.all([
      watchKeys(options, CONTROLLERS_PREFIX, parseController),
      watchKeys<Journal>(options, MIGRATIONS_PREFIX, (entry) => {
        const { source, target, phase } = parseMigration(entry);
        return { source, target, phase };
      }),
      watchKeys(options, STREAMS_PREFIX, parseStreamClaim),
      watchKeys<Leader>(options, LEADER_KEY, parseLeader),
    ]);
    return new FleetView(options, watched);
  }

  async close(): Promise<void> {
    await Promise.all([this.#controllers, this.#migrations, this.#claims, this.#leader].map((keys) => keys.close()));
  }

  get leader(): Seen<Leader> | undefined {
    return this.#leader.entries.get("");
  }

  /** Whether the leader key, which was written at `revision`, is certainly not that any more. */
  leaderHasGone(revision: number): boolean {
    return hasGone(this.#leader, "", revision);
  }

  get claims(): ReadonlyMap<string, Seen<StreamClaim>> {
    return this.#claims.entries;
  }

  /** Whether the claim of a migration, which was written at `revision`, is certainly not that any more. */
  claimHasGone(migration: string, revision: number): boolean {
    return hasGone(this.#claims, migration, revision);
  }

  controllers(): ControllerFacts[] {
    return [...this.#controllers.entries.values()].map(({ value: { id, nonce, backends } }) => ({
      id,
      backends,
      steady: this.#lastsMs(`controller ${id} ${nonce}`) >= this.#options.steadyAfterMs,
    }));
  }

  /** Every unfinished migration; `owner` says who runs it where this process knows better. */
  migrations(owner: (migration: string) => string | undefined): MigrationFacts[] {
    const facts: MigrationFacts[] = [];
    for (const [id, { value }] of this.#migrations.entries) {
      const unowned = `migration ${id}`;
      if (value.phase === "completed" || value.phase === "cancelled") {
        this.#since.delete(unowned);
        continue;
      }
      const runBy = owner(id) ?? this.#claims.entries.get(id)?.value.controller;
      const { source, target } = value;
      if (runBy === undefined) {
        const overdue = this.#lastsMs(unowned) >= this.#options.overdueAfterMs;
        facts.push({ id, source, target, overdue });
      } else {
        this.#since.delete(unowned);
        facts.push({ id, source, target, owner: runBy });
      }
    }
    return facts;
  }

  #lastsMs(what: string): number {
    const now = this.#options.clock.monotonicMs();
    const since = this.#since.get(what);
    if (since !== undefined) return now - since;
    this.#since.set(what, now);
    return 0;
  }
}

function hasGone(keys: WatchedKeys<unknown>, name: string, revision: number): boolean {
  return keys.revision >= revision && keys.entries.get(name)?.revision !== revision;
}
