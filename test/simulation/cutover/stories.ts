import type { FenceKind } from "../../../src/cutover/switch-options.ts";
import { PROFILES } from "./profiles.ts";
import { type Faults, type RunOptions, WAIT_MAX_MS } from "./run-options.ts";
import * as scenes from "./scenes.ts";
import { Random } from "./world.ts";

/** What happens in a run of the soak, besides what its seed decides. */
export interface Story {
  readonly name: string;
  readonly faults: Faults;
  /** Made anew for each run: scenes keep count of what they have done. */
  readonly options: () => Partial<RunOptions>;
}

/** For how long, in virtual time, each seed's faults go on, at least. */
const RUN_MS = 500;

const PLAYED: Readonly<Record<string, () => Partial<RunOptions>>> = {
  lateSwap: scenes.lateSwap,
  lateSwapOfTheLast: scenes.lateSwapOfTheLast,
  swapLearntLate: scenes.swapLearntLate,
  endsLate: scenes.endsLate,
  lateStream: scenes.lateStream,
  lateReturn: scenes.lateReturn,
  lateSeal: scenes.lateSeal,
  lateFence: scenes.lateFence([1, 12]),
  lateFenceAtOnce: scenes.lateFence([0, 0]),
  lateRegain: scenes.lateRegain,
  lateLock: scenes.lateLock,
  lateSessions: () => ({ scene: scenes.lateSessions }),
  cutOffBeforeArming: () => ({ scene: scenes.cutOffBeforeArming, activeMs: 1500 }),
  cutOffWhileArmed: () => ({ scene: scenes.cutOffWhileArmed }),
  lockLostAroundSwap: () => ({ scene: scenes.lockLostAroundSwap }),
  lockLostBeforeSwap: () => ({ scene: scenes.lockLostBeforeSwap }),
  writesToNewHome: () => ({ scene: scenes.writesToNewHome }),
  slowProxyJoins: () => ({ scene: scenes.slowProxyJoins }),
  stoppedWhileArmed: () => ({ scene: scenes.stoppedWhileArmed, slowShare: 0.2, activeMs: 1500 }),
  holdGivenUpEarly: () => ({ scene: scenes.holdGivenUpEarly }),
  vanishesWhileArmed: () => ({ scene: scenes.vanishesWhileArmed, slowShare: 0.2 }),
  alteredMeanwhile: () => ({ scene: scenes.alteredAtAnyTime }),
  longReaders: () => ({ scene: scenes.longReaders, waitMaxMs: WAIT_MAX_MS }),
  noControllersLeft: () => ({ scene: scenes.noControllersLeft, waitMaxMs: WAIT_MAX_MS, activeMs: 2000 }),
  storeAwayInPeace: () => ({
    scene: scenes.storeAwayInPeace,
    waitMaxMs: WAIT_MAX_MS,
    strictWaits: true,
    activeMs: 2500,
  }),
};

const AMONG_FAULTS: readonly Story[] = Object.entries(PROFILES).map(([name, faults]) => ({
  name,
  faults,
  options: () => ({ activeMs: RUN_MS }),
}));

/** What is left to chance finds more than scenes do, in less time. */
const STORIES: readonly Story[] = [
  ...AMONG_FAULTS,
  ...Object.keys(PLAYED).map((name) => ({ name: `scene ${name}`, faults: {}, options: () => sceneNamed(name) })),
  ...AMONG_FAULTS,
];

/** What is played in the scene of this name. */
export function sceneNamed(name: string): Partial<RunOptions> {
  const options = PLAYED[name];
  if (options === undefined) throw new Error(`there is no scene ${name}`);
  return { activeMs: 1000, ...options() };
}

/** How many proxies and controllers there are in a seed's run: one to three, and one or two. */
function populationOf(seed: number): Pick<RunOptions, "proxies" | "controllers"> {
  const random = new Random(seed + 7919);
  return { proxies: 1 + Math.floor(random.next() * 3), controllers: 1 + Math.floor(random.next() * 2) };
}

/** The story of a seed's run: they take turns. */
export function storyOf(seed: number): Story {
  const index = seed % STORIES.length;
  const story = STORIES[index];
  if (story === undefined) throw new Error("there is no story");
  // The second time that the profiles come, they do so by the other fences, in turn.
  const otherwise = index >= STORIES.length - AMONG_FAULTS.length;
  const fence = otherwise ? otherFence(Math.floor(seed / STORIES.length), story.faults) : undefined;
  const options = () => ({ ...populationOf(seed), ...(fence === undefined ? {} : { fence }), ...story.options() });
  return { ...story, name: fence === undefined ? story.name : `${story.name}, fenced by ${fence}`, options };
}

/** `none` is forced, and so goes on in spite of tables that were altered. */
function otherFence(round: number, faults: Faults): FenceKind {
  return round % 2 === 0 && faults.ddl !== true ? "none" : "lock-read";
}
