import { expect, test } from "vitest";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import { STEPS_TO_SWAP } from "../../../src/cutover/steps.ts";
import { simulate } from "./run.ts";
import { altered } from "./weakenings.ts";

/**
 * What clients wait for, in round trips that follow one another: what a machine, its load and its disks do is in none of
 * these numbers. A step that needs one more has made every switch longer.
 */
const ONE_BEHIND_THE_OTHER = {
  drain: 1,
  fence: 2,
  "close-stream": 4,
  counters: 0,
  "stray-check": 1,
  swap: 2,
} as const;

/** Beginnings and ends are counted: times would not say which of two at one moment came first. */
interface Call {
  readonly from: number;
  to: number;
}

/** Calls of an object's methods, and of what these give. */
function counted<T extends object>(original: T, calls: Call[], count: () => number): T {
  return new Proxy(original, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, args);
        if (!(result instanceof Promise)) return result;
        const call: Call = { from: count(), to: Number.POSITIVE_INFINITY };
        calls.push(call);
        return result.then((answer: unknown) => {
          call.to = count();
          const opened = typeof answer === "object" && answer !== null && ("lock" in answer || "upTo" in answer);
          return opened ? counted(answer, calls, count) : answer;
        });
      };
    },
  });
}

/** The most of these that came one behind the other. */
function chain(calls: readonly Call[]): number {
  const length = new Map<Call, number>();
  for (const call of [...calls].sort((a, b) => a.to - b.to)) {
    const before = [...length].filter(([{ to }]) => to < call.from).map(([, n]) => n);
    length.set(call, 1 + Math.max(0, ...before));
  }
  return Math.max(0, ...length.values());
}

test("between the last of what was open and the swap there are no more round trips than these", async () => {
  const seen = new Map<string, number[]>();
  const weaken = (ports: SwitchPorts): SwitchPorts => {
    let counter = 0;
    const count = (): number => ++counter;
    const calls: Call[] = [];
    return {
      ...ports,
      store: counted(ports.store, calls, count),
      home: (backend) => counted(ports.home(backend), calls, count),
      stream: (direction) => counted(ports.stream(direction), calls, count),
      failpoint: async (point) => {
        const step = STEPS_TO_SWAP.find(({ after }) => after === point)?.name;
        const done = calls.splice(0).filter(({ to }) => to !== Number.POSITIVE_INFINITY);
        if (step !== undefined) seen.set(step, [...(seen.get(step) ?? []), chain(done)]);
        await ports.failpoint(point);
      },
    };
  };
  for (let seed = 1; seed <= 2; seed += 1) await simulate({ seed, faults: {}, bypass: false, weaken, activeMs: 1000 });
  const fewest = Object.keys(ONE_BEHIND_THE_OTHER).map((step) => [step, Math.min(...(seen.get(step) ?? []))]);
  expect(Object.fromEntries(fewest)).toEqual(ONE_BEHIND_THE_OTHER);
});

test("servers that have much in their logs are not waited for while clients are held", async () => {
  const events: string[] = [];
  const weaken = (ports: SwitchPorts): SwitchPorts => ({
    ...ports,
    home: (backend) => {
      const home = ports.home(backend);
      const watchStrays: typeof home.watchStrays = async (...asked) => {
        events.push("watch");
        const watch = await home.watchStrays(...asked);
        return {
          underWay: async () => {
            await ports.clock.sleep(300);
            await watch.underWay();
            events.push("under way");
          },
          upTo: (...wanted) => watch.upTo(...wanted),
          close: () => watch.close(),
        };
      };
      return altered(home, { watchStrays });
    },
    failpoint: async (point) => {
      if (point === "switch-after-clear" || point === "switch-before-swap") events.push(point);
      await ports.failpoint(point);
    },
  });
  await simulate({ seed: 1, faults: {}, bypass: false, weaken, activeMs: 1000 });
  const [attempt] = events.join(", ").split("switch-before-swap");
  expect(attempt).toBe("watch, watch, under way, under way, switch-after-clear, ");
});
