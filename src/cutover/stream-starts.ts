import { deadlineIn } from "../base/deadline.ts";
import type { Direction } from "./migration-document.ts";
import type { StreamHealth, SwitchPorts } from "./ports.ts";

/** One that has further to go than it may be waited for is no stream that has just begun. */
const STREAM_STARTS_MS = 10_000;
const STREAM_LOOK_MS = 20;

/**
 * How a stream is, once it is more than about to begin: a switch and a takeover answer, or look, when they have opened theirs,
 * and whoever asks right after them must not be told that it does not run. Waits for so long that it has had every chance.
 *
 * @param isStarting whether a stream that is so can be well in a moment
 */
export async function startedHealth(
  ports: Pick<SwitchPorts, "clock" | "stream"> & Partial<Pick<SwitchPorts, "signal">>,
  direction: Direction,
  isStarting: (health: StreamHealth) => boolean,
): Promise<StreamHealth> {
  const deadline = deadlineIn(ports.clock, STREAM_STARTS_MS);
  let health = await ports.stream(direction).health();
  while (isStarting(health) && !deadline.passed) {
    await ports.clock.sleep(STREAM_LOOK_MS, ports.signal);
    health = await ports.stream(direction).health();
  }
  return health;
}

/**
 * Whether it is not as near as it has to be, and may soon be. One that has only just begun knows nothing of its lag, and then takes
 * it for the age of what it has passed over last, until its own heartbeat has come back; and it may count as running by then.
 */
export function maySoonBeNear({ state, lagMs }: StreamHealth, lagMaxMs: number): boolean {
  if (state === "running" && lagMs <= lagMaxMs) return false;
  const isSoon = lagMs === Number.POSITIVE_INFINITY || lagMs <= STREAM_STARTS_MS;
  return (state === "copying" || state === "catching-up" || state === "running") && isSoon;
}
