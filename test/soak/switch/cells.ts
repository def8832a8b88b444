import { FAILPOINTS, type Failpoint } from "../../../src/base/failpoints.ts";
import { SoakUsageError } from "../soak.ts";

/** Who is hit. The homes are those of the attempt: the tables leave the old one, in a rollback too. */
export const VICTIMS = ["proxy", "controller", "etcd", "old-home", "new-home"] as const;
export type Victim = (typeof VICTIMS)[number];

/** What is done to it: SIGKILL, SIGSTOP for two leases, or its link is cut for as long. */
export const FAULTS = ["kill", "stop", "cut"] as const;
export type Fault = (typeof FAULTS)[number];

export type SwitchStep = Extract<Failpoint, `switch-${string}`>;
export type Kind = "switch" | "rollback";

/** One fault, at one named step of a switch or rollback. */
export interface Cell {
  readonly step: SwitchStep;
  readonly victim: Victim;
  readonly fault: Fault;
}

/** A cell, and where it is to be run one way alone: which way. */
export interface PlannedCell extends Cell {
  readonly kind?: Kind;
}

const NAMED: readonly SwitchStep[] = FAILPOINTS.filter((point): point is SwitchStep => point.startsWith("switch-"));

/** Steps that nothing lies between: what breaks at one of them breaks at the other, and only the other is run. */
export const SAME_AS: Readonly<Partial<Record<SwitchStep, { readonly step: SwitchStep; readonly why: string }>>> = {
  "switch-after-stray-check": {
    step: "switch-before-swap",
    why: "they are announced one right after the other",
  },
  "switch-after-counters": {
    step: "switch-after-forward-closed",
    why: "counters are set ahead before the hold, and the look that finds them level has begun with the step before",
  },
};

/** In the order of a switch. */
export const STEPS: readonly SwitchStep[] = NAMED.filter((step) => SAME_AS[step] === undefined);

/** The most telling first: a matrix that is ended early has run these. */
const SWEEPS: readonly (readonly [Victim, Fault])[] = [
  ["etcd", "cut"],
  ["controller", "stop"],
  ["old-home", "kill"],
  ["new-home", "kill"],
  ["proxy", "stop"],
  ["etcd", "stop"],
  ["controller", "cut"],
  ["old-home", "cut"],
  ["new-home", "cut"],
  ["proxy", "cut"],
  ["etcd", "kill"],
  ["controller", "kill"],
  ["old-home", "stop"],
  ["new-home", "stop"],
  ["proxy", "kill"],
];

/**
 * All cells in the order in which they are run. Steps before the swap, of which most end where they began, take turns with
 * steps after it, which move the tables: so the next one goes the other way.
 */
export function allCells(): readonly Cell[] {
  const swap = STEPS.indexOf("switch-after-swap");
  const [before, after] = [STEPS.slice(0, swap), STEPS.slice(swap)];
  const steps = before.flatMap((step, index) => [step, after[index]]).filter((step) => step !== undefined);
  return SWEEPS.flatMap(([victim, fault]) => steps.map((step) => ({ step, victim, fault })));
}

/** As `--only`, `--from` and the progress file name it. */
export function nameOf({ step, victim, fault }: Cell): string {
  return `${step.slice("switch-".length)}/${victim}/${fault}`;
}

/**
 * The cells that a pattern names: `step/victim/fault`, each of them `*` for any; a step may be written with `switch-` or
 * without. Parts that are left out are any.
 *
 * @throws {SoakUsageError} where it names none
 */
export function matching(pattern: string, cells: readonly Cell[] = allCells()): readonly Cell[] {
  const parts = pattern.split("/");
  const [step = "*", victim = "*", fault = "*"] = parts;
  const same = SAME_AS[asStep(step) as SwitchStep];
  if (same !== undefined) {
    throw new SoakUsageError(`${step} is not run: it means the same as ${same.step}, as ${same.why}`);
  }
  const found = cells.filter((cell) => is(asStep(step), cell.step) && is(victim, cell.victim) && is(fault, cell.fault));
  if (found.length > 0 && parts.length <= 3) return found;
  throw new SoakUsageError(
    `no cell is called "${pattern}"; steps: ${STEPS.join(", ")}; victims: ${VICTIMS.join(", ")}; faults: ${FAULTS.join(", ")}`,
  );
}

/** Those from the named cell on. @throws {SoakUsageError} where there is none of that name */
export function cellsFrom(name: string, cells: readonly Cell[] = allCells()): readonly Cell[] {
  const [first] = matching(name, cells);
  return cells.slice(first === undefined ? 0 : cells.indexOf(first));
}

/** What of `cells` is still to be run; `both`: each of them there and back. */
export function pending(
  cells: readonly Cell[],
  done: readonly { readonly cell: string; readonly kind: Kind }[],
  both: boolean,
): readonly PlannedCell[] {
  const ways = new Set(done.map(({ cell, kind }) => `${cell} ${kind}`));
  const seen = new Set(done.map(({ cell }) => cell));
  if (!both) return cells.filter((cell) => !seen.has(nameOf(cell)));
  return cells.flatMap((cell) =>
    (["switch", "rollback"] as const)
      .filter((kind) => !ways.has(`${nameOf(cell)} ${kind}`))
      .map((kind) => ({ ...cell, kind })),
  );
}

/** The first that can be run the way that the tables can go now; where there is none, the first of all. */
export function nextCell(left: readonly PlannedCell[], way: Kind): PlannedCell | undefined {
  return left.find(({ kind }) => kind === undefined || kind === way) ?? left[0];
}

function asStep(text: string): string {
  return text === "*" || text.startsWith("switch-") ? text : `switch-${text}`;
}

function is(pattern: string, value: string): boolean {
  return pattern === "*" || pattern === value;
}
