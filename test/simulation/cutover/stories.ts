import { PROFILES } from "./profiles.ts";
import type { Faults, RunOptions } from "./run.ts";
import * as scenes from "./scenes.ts";

/** What happens in a run of the soak, besides what its seed decides. */
export interface Story {
  readonly name: string;
  readonly faults: Faults;
  /** Made anew for each run: scenes keep count of what they have done. */
  readonly options: () => Partial<RunOptions>;
  /** Breaches that SPEC.md names as an exception of this story. */
  readonly excused?: RegExp;
}

/** For how long, in virtual time, each seed's faults go on, at least. */
const RUN_MS = 500;

const PLAYED: Readonly<Record<string, () => Partial<RunOptions>>> = {
  lateSwap: scenes.lateSwap,
  lateSwapOfTheLast: scenes.lateSwapOfTheLast,
  lateStream: scenes.lateStream,
  lateReturn: scenes.lateReturn,
  lateSeal: scenes.lateSeal,
  lateFence: scenes.lateFence([1, 12]),
  lateRegain: scenes.lateRegain,
  cutOffWhileArmed: () => ({ scene: scenes.cutOffWhileArmed }),
  lockLostAroundSwap: () => ({ scene: scenes.lockLostAroundSwap }),
  lockLostBeforeSwap: () => ({ scene: scenes.lockLostBeforeSwap }),
  writesToNewHome: () => ({ scene: scenes.writesToNewHome }),
  slowProxyJoins: () => ({ scene: scenes.slowProxyJoins }),
  stoppedWhileArmed: () => ({ scene: scenes.stoppedWhileArmed, slowShare: 0.2, activeMs: 1500 }),
};

const STORIES: readonly Story[] = [
  ...Object.entries(PROFILES).map(([name, faults]) => ({ name, faults, options: () => ({ activeMs: RUN_MS }) })),
  ...Object.entries(PLAYED).map(([name, options]) => ({
    name: `scene ${name}`,
    faults: {},
    options: () => ({ activeMs: 1000, ...options() }),
    ...(name === "lateRegain" ? { excused: /was told: deadlock$/ } : {}),
  })),
];

/** The story of a seed's run: they take turns. */
export function storyOf(seed: number): Story {
  const story = STORIES[seed % STORIES.length];
  if (story === undefined) throw new Error("there is no story");
  return story;
}
