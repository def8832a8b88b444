import { simulate } from "./run.ts";
import type { Faults, RunOptions } from "./run-options.ts";

/** What may go wrong, one kind at a time and all at once. */
export const PROFILES = {
  "no faults": {},
  "messages to and from the store lost or late": { messages: 0.04 },
  "a store that is away": { storeAway: true },
  "controllers killed, stopped and cut off at every step": { controller: 0.15 },
  "proxies killed, stopped and cut off": { proxies: true },
  "sessions killed on the servers": { sessions: true },
  "leases that end before their time": { leases: true },
  "clocks that jump and stand still": { clocks: true },
  "machines of proxies that vanish": { machines: true },
  "tables that are altered": { ddl: true },
  "all of it": {
    messages: 0.03,
    storeAway: true,
    controller: 0.1,
    proxies: true,
    sessions: true,
    leases: true,
    clocks: true,
    machines: true,
    ddl: true,
  },
} as const satisfies Record<string, Faults>;

export interface Explored {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly errors: number;
}

/** Runs the seeds; the first breach fails, with the seed that repeats it and the end of what happened. */
export async function explore(
  faults: Faults,
  seeds: { readonly from: number; readonly to: number },
  options: Partial<RunOptions> = {},
): Promise<Explored> {
  const outcomes: Record<string, number> = {};
  let errors = 0;
  for (let seed = seeds.from; seed <= seeds.to; seed += 1) {
    const result = await simulate({ seed, faults, ...options });
    if (result.breaches.length > 0) {
      const trace = result.trace.slice(-200).join("\n");
      throw new Error(`seed ${seed} of ${JSON.stringify(faults)}: ${result.breaches.join("; ")}\n${trace}`);
    }
    for (const outcome of result.outcomes) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    errors += result.errors;
  }
  return { outcomes, errors };
}

/** What the first of the seeds that leads to a breach breaks, or nothing. */
export async function firstBreach(
  faults: Faults,
  seeds: { readonly from: number; readonly to: number },
  options: Partial<RunOptions>,
): Promise<string | undefined> {
  for (let seed = seeds.from; seed <= seeds.to; seed += 1) {
    const { breaches } = await simulate({ seed, faults, ...options });
    if (breaches.length > 0) return `${breaches.join("\n")} (seed ${seed})`;
  }
  return undefined;
}
