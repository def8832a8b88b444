/** A controller that lives. */
export interface ControllerFacts {
  readonly id: string;
  /** It can run migrations between these. */
  readonly backends: readonly string[];
  /** It has lived for a while: what others run may be handed over to it. */
  readonly steady: boolean;
}

/** An unfinished migration. */
export interface MigrationFacts {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** The controller that runs it; absent where none does. */
  readonly owner?: string;
  /** Nobody has run it for longer than whoever it was left for should have taken. */
  readonly overdue?: boolean;
}

/** All that the shares are made of, as one controller sees it. */
export interface FleetFacts {
  readonly leader: string | undefined;
  readonly controllers: readonly ControllerFacts[];
  readonly migrations: readonly MigrationFacts[];
}

/** What one controller should do now. */
export interface Share {
  /** Migrations to be claimed. Others may try the same; the store lets one succeed. */
  readonly claim: readonly string[];
  /** Migrations to be let go, so that others can claim them. */
  readonly leave: readonly string[];
}

const NOTHING: Share = { claim: [], leave: [] };

/** Whether a controller has both servers of a migration in its configuration. */
export function canRun(controller: Pick<ControllerFacts, "backends">, migration: MigrationFacts): boolean {
  return controller.backends.includes(migration.source) && controller.backends.includes(migration.target);
}

/**
 * What controller `me` should claim and leave so that migrations are spread evenly over those that can run them.
 *
 * What nobody runs goes to whoever runs the fewest; everybody who sees the same comes to the same answer, and who sees
 * something else is stopped by the store. What is run moves only where that makes two numbers more equal, one at a time,
 * from one controller at a time, and only if it may: so nothing moves back again.
 *
 * A leader that gives no sign of life as a controller is of a version that runs every migration itself; then nothing is
 * claimed and everything is left.
 *
 * @param mayLeave whether a migration that `me` runs can be handed over now
 */
export function shareOf(me: string, facts: FleetFacts, mayLeave: (migration: string) => boolean): Share {
  const self = facts.controllers.find(({ id }) => id === me);
  if (self === undefined || facts.leader === undefined) return NOTHING;
  const own = facts.migrations.filter(({ owner }) => owner === me);
  if (!facts.controllers.some(({ id }) => id === facts.leader)) {
    return { claim: [], leave: own.map(({ id }) => id).filter(mayLeave) };
  }
  const unclaimed = facts.migrations.filter(({ owner }) => owner === undefined);
  if (unclaimed.some((migration) => facts.controllers.some((one) => canRun(one, migration)))) {
    return { claim: dueToMe(self, facts, unclaimed), leave: [] };
  }
  const surplus = own.find((migration) => mayLeave(migration.id) && isMyTurn(self, facts, migration));
  return surplus === undefined ? NOTHING : { claim: [], leave: [surplus.id] };
}

function dueToMe(self: ControllerFacts, facts: FleetFacts, unclaimed: readonly MigrationFacts[]): string[] {
  const loads = loadsOf(facts);
  const due: string[] = [];
  for (const migration of [...unclaimed].sort(byId)) {
    const least = facts.controllers.filter((one) => canRun(one, migration)).sort(byLoad(loads))[0];
    if (least !== undefined) loads.set(least.id, loadOf(loads, least) + 1);
    if (least?.id === self.id || (migration.overdue === true && canRun(self, migration))) due.push(migration.id);
  }
  return due;
}

/** Whether handing `migration` over makes the numbers more equal, and nobody with more to give comes first. */
function isMyTurn(self: ControllerFacts, facts: FleetFacts, migration: MigrationFacts): boolean {
  const loads = loadsOf(facts);
  const takers = (load: number, one: MigrationFacts): ControllerFacts[] =>
    facts.controllers.filter((taker) => taker.steady && canRun(taker, one) && loadOf(loads, taker) <= load - 2);
  const mine = loadOf(loads, self);
  if (takers(mine, migration).length === 0) return false;
  const before = facts.controllers.filter((one) => {
    const load = loadOf(loads, one);
    return load > mine || (load === mine && one.id < self.id);
  });
  return !before.some((one) =>
    facts.migrations.some(({ owner, ...theirs }) => owner === one.id && takers(loadOf(loads, one), theirs).length > 0),
  );
}

function loadsOf(facts: FleetFacts): Map<string, number> {
  const loads = new Map<string, number>();
  for (const { owner } of facts.migrations) if (owner !== undefined) loads.set(owner, (loads.get(owner) ?? 0) + 1);
  return loads;
}

function loadOf(loads: ReadonlyMap<string, number>, { id }: { readonly id: string }): number {
  return loads.get(id) ?? 0;
}

function byLoad(loads: ReadonlyMap<string, number>) {
  return (a: ControllerFacts, b: ControllerFacts): number => loadOf(loads, a) - loadOf(loads, b) || byId(a, b);
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
