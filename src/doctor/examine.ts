import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import { diagnose, inBoth } from "./diagnose.ts";
import type { Facts, StoreFacts } from "./facts.ts";
import type { DoctorFinding } from "./finding.ts";
import { readServers } from "./read-server.ts";

/** What a look needs; each time it is asked anew. */
export interface DoctorSources {
  readonly config: Config;
  readonly clock: Clock;
  readonly readStore: () => Promise<StoreFacts>;
  readonly readOtherStore: () => Promise<Facts["otherStore"]>;
  readonly signal: AbortSignal;
}

/** Between two looks: longer than rules take to reach a proxy, and a stream to begin. */
const LOOK_AGAIN_MS = 2000;

/** What was found, and the facts that it was found by. */
export interface Examined {
  readonly facts: Facts;
  readonly findings: readonly DoctorFinding[];
}

/** All facts at one moment. Changes nothing. @throws {SwitchyardError} where the store cannot be read */
export async function readFacts(sources: DoctorSources): Promise<Facts> {
  const { config, clock } = sources;
  const store = await sources.readStore();
  const tables = new Set([
    ...store.migrations.flatMap(({ document }) => document.tables),
    ...Object.keys(store.rules?.document.tables ?? {}),
  ]);
  const servers = await readServers(Object.values(config.backends), [...tables]);
  const otherStore = await sources.readOtherStore();
  return {
    nowMs: clock.now().getTime(),
    config: { default: config.default, backends: Object.keys(config.backends), store: config.store.kind },
    store,
    servers,
    ...(otherStore === undefined ? {} : { otherStore }),
  };
}

/** Looks, and where something was found looks again: what was on its way then has gone. Changes nothing. */
export async function examine(sources: DoctorSources): Promise<Examined> {
  const before = await readFacts(sources);
  const first = diagnose(before);
  if (first.length === 0) return { facts: before, findings: [] };
  await sources.clock.sleep(LOOK_AGAIN_MS, sources.signal);
  const facts = await readFacts(sources);
  return { facts, findings: inBoth(first, diagnose(facts)) };
}
