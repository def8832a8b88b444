import type { Run } from "./run.ts";
import type { SimServer } from "./sim-server.ts";

/** The server where the table is at home, the other one, and the direction in which what it gets flows there. */
function ends({ checker, servers }: Run): readonly [SimServer, SimServer, "forward" | "reverse"] {
  return checker.home() === "old" ? [servers.old, servers.new, "forward"] : [servers.new, servers.old, "reverse"];
}

/** Somebody alters the table where it is at home; a while later the other server's is made alike. */
export function alterTable(run: Run): void {
  const { world, checker } = run;
  const [home, other, direction] = ends(run);
  world.note(`somebody alters the table on ${home.name}`);
  world.reached.fault("the table altered");
  void home.alter(60, () => checker.home() === home.name);
  for (const ms of [150, 400]) world.after(ms + world.random.between(0, 50), () => makeAlike(other, direction));
}

/**
 * Somebody wants to alter the table where it is at home now, and waits for it for as long as it takes: it must not come to that
 * where the table has left meanwhile.
 */
export function alterWhenFree(run: Run): void {
  const { world, checker } = run;
  const [home, other, direction] = ends(run);
  world.note(`somebody waits for the table on ${home.name}, to alter it`);
  const isFree = (): boolean => {
    checker.altered(home.name);
    return true;
  };
  void home.alter(10_000, isFree).then(() => {
    world.after(world.random.between(100, 200), () => makeAlike(other, direction));
  });
}

function makeAlike(other: SimServer, direction: "forward" | "reverse"): void {
  const ledger = other.ledger(direction);
  if (ledger.ddl === 0) return;
  other.definition = ledger.definition;
  ledger.ddl = 0;
  other.world.note(`the table on ${other.name} is made alike`);
}
