import { deferred } from "../base/deferred.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import { parseMigration, readMigration } from "../cutover/journal.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { upgradeDocuments } from "../rules/document-kinds.ts";
import { MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import { type ControllerBase, endpointOf } from "./controller-context.ts";
import { canRun, type FleetFacts, shareOf } from "./fair-share.ts";
import { FleetView } from "./fleet-view.ts";
import { Leadership } from "./leadership.ts";
import type { Membership } from "./membership.ts";
import { NamesWatch } from "./names-behind.ts";
import { carryOut, carryOutForAll, migrationNotFound } from "./order-handlers.ts";
import type { OrderWork } from "./order-loop.ts";
import { isFinished, OwnedMigration } from "./owned-migration.ts";
import { StreamClaims } from "./stream-claims.ts";

/** The longest time between two looks; each change in the store calls for one. */
const LOOK_EVERY_MS = 1000;
/** In TTLs of the lease: others have had time to see a controller that came, or to claim what was left for them. */
const STEADY_TTLS = 2;
const OVERDUE_TTLS = 1;

export interface MigrationFleetOptions {
  readonly context: ControllerBase;
  readonly member: Membership;
  readonly leaseTtlMs: number;
  /** Called when orders may have become this controller's that were not before. */
  readonly changed: () => void;
}

/**
 * The migrations that this controller runs. Each is claimed in the store, so that a fleet's controllers share them out
 * evenly; a migration moves whole, with its streams and its orders, and only while nothing is under way with it.
 */
export class MigrationFleet {
  readonly #context: ControllerBase;
  readonly #member: Membership;
  readonly #leadership: Leadership;
  readonly #claims: StreamClaims;
  readonly #names: NamesWatch;
  readonly #options: MigrationFleetOptions;
  readonly #owned = new Map<string, OwnedMigration>();
  /** Claimed by an order at this moment. */
  readonly #arriving = new Set<string>();
  readonly #tasks = new Set<Promise<void>>();
  #view: FleetView | undefined;
  #wake = deferred<void>();
  #looking: Promise<void> | undefined;
  #upgraded = false;

  constructor(options: MigrationFleetOptions) {
    const { context, member } = options;
    this.#options = options;
    this.#context = context;
    this.#member = member;
    this.#leadership = new Leadership({ store: context.store, log: context.log, member });
    this.#claims = new StreamClaims({ store: context.store, log: context.log, member });
    this.#names = new NamesWatch(context);
  }

  /**
   * Claims and gives back until the controller must stop.
   *
   * @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_FORMAT_NEWER`: this version must not lead
   */
  async run(): Promise<void> {
    const { store, clock, log, signal } = this.#context;
    const { leaseTtlMs } = this.#options;
    const times = { steadyAfterMs: STEADY_TTLS * leaseTtlMs, overdueAfterMs: OVERDUE_TTLS * leaseTtlMs };
    this.#view = await FleetView.open({ store, clock, log, ...times, changed: () => this.#wake.resolve() });
    while (!signal.aborted) {
      this.#wake = deferred();
      this.#looking = this.#look(this.#view);
      await this.#looking;
      const late = new AbortController();
      const pause = clock.sleep(LOOK_EVERY_MS, AbortSignal.any([signal, late.signal])).catch(() => undefined);
      await Promise.race([this.#wake.promise, pause]);
      late.abort();
    }
  }

  /** Ends the streams of this process. What is claimed goes with the lease. */
  async close(): Promise<void> {
    // A look may wait for a store that is away: streams must not.
    await this.#closeAll();
    await this.#looking?.catch(() => undefined);
    await this.#closeAll();
    await Promise.all(this.#tasks);
    await this.#names.close();
    await this.#view?.close();
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#owned.values()].map((owned) => owned.close()));
  }

  /**
   * Takes an order that is this controller's: about a migration that it runs or, where it leads, one that concerns no
   * single migration or one that nobody will ever run. Absent for an order that is not, or not yet.
   */
  async accept(order: OrderDocument): Promise<OrderWork | undefined> {
    const leads = this.#leadership.conditions;
    if (order.command === "migration-create" || order.command === "proxy-forget") {
      if (leads === undefined) return undefined;
      const context = { ...this.#context, leadership: () => leads };
      return { leadership: () => leads, handle: (step) => carryOutForAll(context, order, step), end: () => undefined };
    }
    const owned = this.#owned.get(order.migration);
    if (owned !== undefined) return owned.mayTakeOrders ? this.#work(owned, order) : undefined;
    return leads === undefined ? undefined : await this.#acceptUnowned(order);
  }

  /** A finished migration still answers: its phase refuses, or says that there is nothing to do. */
  async #acceptUnowned(order: OrderDocument): Promise<OrderWork | undefined> {
    const leads = this.#leadership.conditions ?? [];
    const id = order.migration;
    if (this.#arriving.has(id) || this.#view?.claims.has(id) !== false) return undefined;
    const refuse = (error: unknown): OrderWork => ({
      leadership: () => leads,
      handle: () => Promise.reject(error as Error),
      end: () => undefined,
    });
    const entry = await this.#context.store.get(MIGRATIONS_PREFIX + id);
    if (entry === undefined) return refuse(migrationNotFound(id));
    this.#arriving.add(id);
    try {
      const document = parseMigration(entry);
      if (!isFinished(document) && this.#view.controllers().some((one) => canRun(one, document))) {
        return undefined;
      }
      for (const backend of [document.source, document.target]) endpointOf(this.#context, backend);
      if (!isFinished(document)) return undefined;
      const token = await this.#claims.take(id, leads);
      if (token === undefined || this.#owned.has(id)) return undefined;
      const owned = new OwnedMigration(this.#context, document, token);
      this.#owned.set(id, owned);
      return this.#work(owned, order);
    } catch (error) {
      return refuse(error);
    } finally {
      this.#arriving.delete(id);
    }
  }

  #work(owned: OwnedMigration, order: OrderDocument): OrderWork {
    owned.orders += 1;
    return {
      leadership: owned.runner.context.leadership,
      handle: async (step) => {
        const report = await carryOut(owned.runner, order, step);
        if (owned.isFinished) await owned.runner.close();
        return report;
      },
      end: () => {
        owned.orders -= 1;
        this.#wake.resolve();
      },
    };
  }

  async #look(view: FleetView): Promise<void> {
    await this.#lead(view);
    for (const owned of this.#owned.values()) this.#check(view, owned);
    await this.#claims.tidy(view);
    for (const [id, token] of this.#claims.unknown(view, (one) => this.#owned.has(one) || this.#arriving.has(one))) {
      await this.#takeUp(id, token);
    }
    const { claim, leave } = shareOf(
      this.#member.id,
      this.#facts(view),
      (id) => this.#owned.get(id)?.mayLeave === true,
    );
    for (const id of leave) this.#leave(this.#owned.get(id), "another controller runs fewer");
    for (const id of claim) {
      if (this.#context.signal.aborted || this.#owned.has(id) || this.#arriving.has(id)) continue;
      const token = await this.#claims.take(id);
      if (token !== undefined) await this.#takeUp(id, token);
    }
    this.#context.metrics.gauge("controller_migrations", {}).set(this.#owned.size);
    this.#options.changed();
  }

  /** @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_FORMAT_NEWER`, and those of damaged documents */
  async #lead(view: FleetView): Promise<void> {
    if (await this.#leadership.seek(view)) this.#upgraded = false;
    const { conditions } = this.#leadership;
    if (conditions === undefined) return;
    if (this.#upgraded) {
      this.#names.follow(conditions);
      return;
    }
    try {
      await upgradeDocuments(this.#context.store);
      this.#upgraded = true;
    } catch (error) {
      // Streams that run do not suffer from a store that is away for a moment; the next look tries again.
      if (!isSwitchyardError(error, "STORE_UNAVAILABLE", "STORE_OUTCOME_UNKNOWN")) throw error;
      this.#context.log.warn({ error: messageOf(error) }, "documents of older formats are not upgraded yet");
    }
  }

  #facts(view: FleetView): FleetFacts {
    const leader = this.#leadership.conditions === undefined ? view.leader?.value.id : this.#member.id;
    const migrations = view.migrations((id) => (this.#owned.has(id) ? this.#member.id : undefined));
    return { leader, controllers: view.controllers(), migrations };
  }

  #check(view: FleetView, owned: OwnedMigration): void {
    if (owned.leaving) return;
    if (view.claimHasGone(owned.id, owned.token)) {
      owned.runner.log.warn({}, "this controller runs the migration no more: its claim has gone");
      this.#task(owned.lost().finally(() => this.#owned.delete(owned.id)));
    } else if (owned.isFinished && owned.orders === 0) {
      this.#leave(owned, "it has ended");
    }
  }

  /** Takes a claimed migration up, from what its journal says now. */
  async #takeUp(id: string, token: number): Promise<void> {
    const { store, log } = this.#context;
    try {
      const { document } = await readMigration(store, id);
      const owned = new OwnedMigration(this.#context, document, token);
      this.#owned.set(id, owned);
      if (isFinished(document)) return;
      owned.runner.log.info({ fencingToken: token }, "this controller runs the migration");
      this.#task(
        owned.runner.start().then(
          () => this.#options.changed(),
          (error: unknown) => owned.runner.log.error({ error: messageOf(error) }, "the migration cannot go on"),
        ),
      );
    } catch (error) {
      log.error({ migration: id, error: messageOf(error) }, "a migration cannot be taken up");
      await this.#claims.giveBack(id, token);
    }
  }

  #leave(owned: OwnedMigration | undefined, why: string): void {
    if (owned === undefined) return;
    owned.leaving = true;
    const work = async (): Promise<void> => {
      await owned.handOver();
      await this.#claims.giveBack(owned.id, owned.token);
      owned.runner.log.info({ why }, "this controller has given the migration back");
      this.#owned.delete(owned.id);
      this.#wake.resolve();
    };
    this.#task(work());
  }

  #task(work: Promise<void>): void {
    const task = work.catch((error: unknown) => {
      this.#context.log.error({ error: messageOf(error) }, "a migration could not be let go");
    });
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }
}
