import { FAILPOINTS } from "../../../src/base/failpoints.ts";
import { PHASES } from "../../../src/cutover/phase.ts";
import { EVENTS, type EventType, TRANSITIONS, type Transition } from "../../../src/cutover/transitions.ts";

/** A table of SPEC.md, or what can happen against when: each cell as one line, and which of them nothing here can reach. */
export interface CellTable {
  readonly name: string;
  readonly cells: readonly string[];
  /** Why cells are not reached: what they have in common, and the reason. */
  readonly beyond: readonly (readonly [RegExp, string])[];
}

export function phaseCell(phase: string, event: string): string {
  return `${phase} / ${event}`;
}

/** Where a run is: between attempts, or past some point of one. */
export const AT_PEACE = "at peace";

const FAULTS = [
  ...["stopped", "cut off", "killed", "clock ahead", "clock still", "lease ended", "unheard"].map(
    (kind) => `a controller: ${kind}`,
  ),
  ...[
    "stopped",
    "cut off",
    "killed",
    "deaf",
    "clock ahead",
    "clock still",
    "lease ended",
    "unheard",
    "machine gone",
  ].map((kind) => `a proxy: ${kind}`),
  "the store is away",
  "a session KILLed on the home",
  "a session KILLed on the other server",
  "the table altered",
] as const;

const POINTS = FAILPOINTS.filter((point) => /^(switch|abort)-/.test(point));

const LEDGER_OPEN = [
  "claim under its token",
  "claim under another",
  "seal",
  "abort of an attempt",
  "retire under its token",
];
const LEDGER_SEALED = [
  "claim under its token",
  "claim under another",
  "seal by another",
  "abort of its attempt",
  "abort of another",
  "retire under its token",
];
const LEDGER_RETIRED = [
  "claim under its token",
  "claim under another",
  "seal",
  "abort of an attempt",
  "retire under its token",
];

export const CELL_TABLES: readonly CellTable[] = [
  {
    name: "phases and events",
    cells: PHASES.flatMap((phase) => EVENTS.map((event) => phaseCell(phase, event))),
    beyond: [
      [/^(created|copying|catching-up) /, "a simulated migration begins when it is ready for a switch"],
      [
        / (copy-started|copy-finished|caught-up)$/,
        "what the copy and the stream tell is told by the runner of a migration",
      ],
      [/^(completed|cancelled) |^switched \/ completed|^running \/ cancelled/, "ends are tested on real servers"],
      [
        /^(running|switching|switched|rolling-back) /,
        "refusals, and what changes nothing: who leads gives orders that the phase allows, and looks for its token first",
      ],
    ],
  },
  {
    name: "what a controller finds that begins to run the migration",
    cells: ["no attempt", "an attempt that may still swap", "an attempt being aborted", "an attempt that has swapped"],
    beyond: [],
  },
  {
    name: "ledgers",
    cells: [
      ...LEDGER_OPEN.map((what) => `open / ${what}`),
      ...LEDGER_SEALED.map((what) => `sealed / ${what}`),
      ...LEDGER_RETIRED.map((what) => `retired / ${what}`),
    ],
    beyond: [],
  },
  {
    name: "faults at the points of a switch",
    cells: [AT_PEACE, ...POINTS].flatMap((point) => FAULTS.map((fault) => `${point} / ${fault}`)),
    beyond: [],
  },
];

/** What a run has reached so far; told of by whoever gets there. */
export class Reached {
  readonly cells = new Set<string>();
  /** The last point that was passed in the attempt under way. */
  at: string = AT_PEACE;

  cell(line: string): void {
    this.cells.add(line);
  }

  fault(line: string): void {
    this.cells.add(`${this.at} / ${line}`);
  }
}

let watching: Reached | undefined;

/**
 * From here on the table of phases tells this run's reached of each cell that is looked at. Runs of one thread follow one
 * another, and the table is the module's.
 */
export function watchPhases(reached: Reached): void {
  if (watching === undefined) for (const phase of PHASES) watchRow(phase);
  watching = reached;
}

function watchRow(phase: (typeof PHASES)[number]): void {
  const row = TRANSITIONS[phase] as Record<EventType, Transition>;
  for (const event of EVENTS) {
    const transition = row[event];
    const get = (): Transition => {
      watching?.cell(phaseCell(phase, event));
      return transition;
    };
    Object.defineProperty(row, event, { get, enumerable: true, configurable: true });
  }
}

const SHOWN_MAX = 30;

/** Of each table how many cells were reached, those that were not, and why where that is known: as lines. */
export function coverageLines(reached: ReadonlySet<string>): readonly string[] {
  return CELL_TABLES.flatMap(({ name, cells, beyond }) => {
    const missing = cells.filter((cell) => !reached.has(cell));
    const without = missing.filter((cell) => !beyond.some(([pattern]) => pattern.test(cell)));
    const known = beyond.flatMap(([pattern, why]) => {
      const count = missing.filter((cell) => beyond.find(([other]) => other.test(cell))?.[0] === pattern).length;
      return count === 0 ? [] : [`    ${count} not: ${why}`];
    });
    return [
      `  ${name}: ${cells.length - missing.length} of ${cells.length} cells reached`,
      ...known,
      ...without.slice(0, SHOWN_MAX).map((cell) => `    not reached: ${cell}`),
      ...(without.length > SHOWN_MAX ? [`    and ${without.length - SHOWN_MAX} more`] : []),
    ];
  });
}
