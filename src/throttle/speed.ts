/** Where the speed of bulk work stands. */
export type SpeedState =
  /** Nothing has been read of the servers yet: nothing is done. */
  | "starting"
  /** As fast as it goes. */
  | "full"
  /** It rests between pieces. */
  | "slowed"
  /** It waits. */
  | "stopped";

/** What the signals say together: `unknown` where one of them is too old or was never read. */
export type Verdict = "clear" | "over" | "unknown";

/** `share`: the part of the time in which bulk work may work, 0 to 1. */
export interface Speed {
  readonly state: SpeedState;
  readonly share: number;
}

/** The lowest share at which it works at all; below it stops. */
export const SHARE_MIN = 1 / 16;
/** What is added while all is well, and by what it is divided while something is not: slowly up, quickly down. */
const SHARE_STEP = 0.05;
const SHARE_DIVISOR = 2;

export const STARTING: Speed = { state: "starting", share: 0 };
const STOPPED: Speed = { state: "stopped", share: 0 };
const SLOWEST: Speed = { state: "slowed", share: SHARE_MIN };
const FULL: Speed = { state: "full", share: 1 };

type Step = (share: number) => Speed;

const faster: Step = (share) => {
  const next = share + SHARE_STEP;
  return next >= 1 ? FULL : { state: "slowed", share: next };
};

const slower: Step = (share) => {
  const next = share / SHARE_DIVISOR;
  return next < SHARE_MIN ? STOPPED : { state: "slowed", share: next };
};

/**
 * Every state against every verdict. What is not known stops the work: a server that does not answer may be the one that
 * suffers. What was stopped begins again at the lowest share, since whatever stopped it may still be near.
 */
export const SPEEDS: Readonly<Record<SpeedState, Readonly<Record<Verdict, Step>>>> = {
  starting: { clear: () => FULL, over: () => SLOWEST, unknown: () => STARTING },
  full: { clear: () => FULL, over: slower, unknown: () => STOPPED },
  slowed: { clear: faster, over: slower, unknown: () => STOPPED },
  stopped: { clear: () => SLOWEST, over: () => STOPPED, unknown: () => STOPPED },
};

/** The speed after one more look at the signals. */
export function nextSpeed(speed: Speed, verdict: Verdict): Speed {
  return SPEEDS[speed.state][verdict](speed.share);
}
