import type { Clock } from "../base/clock.ts";
import { endsWithin } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";

const LOOK_MS = 1000;
/** A server that takes a deep breath is not one that stands still. */
const PATIENCE_MS = 5000;

export interface StandstillLook {
  readonly clock: Clock;
  /** What is being done, for the message. */
  readonly what: string;
  /** What keeps every commit of a server waiting, in words, see `commitsStandStill`; undefined where they go through. */
  readonly look: () => Promise<string | undefined>;
}

/**
 * Waits for `work` for as long as it takes, but not for a server on which no commit ends: as where the disk of its binary log is
 * full, of which nobody who commits is told. The work goes on then, and what it ends with is nobody's; whoever calls has to
 * end its connections.
 *
 * @throws {SwitchyardError} `MYSQL_COMMITS_STAND_STILL` where each look of five seconds has said so; and what the work throws
 */
export async function unlessStandstill<T>(work: Promise<T>, { clock, what, look }: StandstillLook): Promise<T> {
  let since: number | undefined;
  while (!(await endsWithin(clock, work, LOOK_MS))) {
    const looking = look().catch(() => undefined);
    const said = (await endsWithin(clock, looking, LOOK_MS)) ? await looking : undefined;
    since = said === undefined ? undefined : (since ?? clock.monotonicMs());
    if (said === undefined || since === undefined || clock.monotonicMs() - since < PATIENCE_MS) continue;
    throw new SwitchyardError("MYSQL_COMMITS_STAND_STILL", {
      what: `a server keeps every commit waiting: ${what}`,
      details: [said],
      fix: "Make room on that server's disk, and try again.",
    });
  }
  return await work;
}
