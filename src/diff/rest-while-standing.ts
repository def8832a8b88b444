import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import type { PacedWork } from "../base/pace.ts";

/** The pace of a diff whose readers rest while the stream stands. */
export interface StandingPace {
  readonly pace: PacedWork;
  /** The stream stands from now on, for the snapshot of one table. */
  stands(): void;
  /** It goes on, after so many milliseconds. */
  goesOn(stoodMs: number): void;
}

const CATCHING_UP_MS_MAX = 250;

/**
 * Tables are read and compared in the process in which the stream runs, and by servers that it waits for. While it stands
 * for the snapshot of the next table, those that are open rest: every piece that they compare then makes it stand longer. And so
 * does each, the new one too, for as long again as it has stood: what has come meanwhile is applied first.
 *
 * Whoever says that it stands must say in any case that it goes on: readers rest until then.
 */
export function restWhileStanding(pace: PacedWork, clock: Pick<Clock, "sleep">): StandingPace {
  let standing: Deferred<void> | undefined;
  let times = 0;
  const end = (ended: number): void => {
    if (ended !== times) return;
    standing?.resolve();
    standing = undefined;
  };
  return {
    pace: {
      get mayOpenSnapshot() {
        return pace.mayOpenSnapshot;
      },
      get shouldCloseSnapshot() {
        return pace.shouldCloseSnapshot;
      },
      whenMayOpen: (signal, patienceMs) => pace.whenMayOpen(signal, patienceMs),
      worker: (signal) => {
        const worker = pace.worker(signal);
        return {
          rest: (isOver) => {
            if (standing === undefined) return worker.rest(isOver);
            return standing.promise.then(() => worker.rest(isOver));
          },
        };
      },
      close: () => pace.close(),
    },
    stands: () => {
      times += 1;
      standing ??= deferred();
    },
    goesOn: (stoodMs) => {
      const ended = times;
      void clock.sleep(Math.min(stoodMs, CATCHING_UP_MS_MAX)).then(() => end(ended));
    },
  };
}
