import type { TestServer } from "../../support/servers.ts";
import { Arena, prepareServer } from "./arena.ts";
import type { InnocentTally } from "./innocents.ts";
import type { Figures } from "./worker-messages.ts";

const MIB = 1024 ** 2;
/** What may be left of any number of executions, beyond what the first of them have left. */
const HEAP_GROWTH_BYTES_MAX = 16 * MIB;
const RSS_GROWTH_BYTES_MAX = 128 * MIB;
const LANES = 10;
const HOSTILE_SERVERS = 4;

export interface ProxyCampaign {
  readonly seed: number;
  /** Executions to begin with, one after the other, each in one lane; any number where left out. */
  readonly executions?: readonly number[];
  readonly executionsMax?: number;
  readonly milliseconds?: number;
  /** How many of them are busy at a time; each has a proxy of its own besides the one that all share. */
  readonly hostileServers?: number;
  /** Executions between two times at which everybody leaves and memory is measured. */
  readonly roundOf: number;
  /** Told of each measurement. */
  readonly measured?: (figures: Figures, executions: number, tally: InnocentTally) => void;
}

export interface ProxyVerdict {
  readonly executions: number;
  readonly tally: InnocentTally;
  readonly ends: Readonly<Record<string, number>>;
  readonly failure: { readonly why: string; readonly executions: readonly number[] } | undefined;
}

/** Hostile clients and servers at live proxies, several at a time, until the first failure or the end. */
export async function runProxyCampaign(server: TestServer, campaign: ProxyCampaign): Promise<ProxyVerdict> {
  await prepareServer(server);
  const arena = await Arena.open(server, campaign.hostileServers ?? HOSTILE_SERVERS);
  const endsAtMs = performance.now() + (campaign.milliseconds ?? Number.POSITIVE_INFINITY);
  const listed = campaign.executions;
  const max = listed?.length ?? campaign.executionsMax ?? Number.POSITIVE_INFINITY;
  const underWay = new Set<number>();
  let begun = 0;
  let failure: ProxyVerdict["failure"];
  const memory = new LevelMemory();
  const tally: InnocentTally = { answers: 0, slowestMs: 0, connections: 0 };
  let ends: Readonly<Record<string, number>> = {};
  const noteFailure = (): void => {
    if (arena.failure !== undefined) failure ??= { why: arena.failure, executions: [...underWay] };
  };
  const goesOn = (): boolean => failure === undefined && begun < max && performance.now() < endsAtMs;
  const lane = async (roundEnd: number): Promise<void> => {
    while (goesOn() && begun < roundEnd) {
      const at = begun++;
      const execution = listed?.[at] ?? at;
      underWay.add(execution);
      await arena.run(campaign.seed, execution);
      noteFailure();
      underWay.delete(execution);
    }
  };
  try {
    while (goesOn()) {
      const from = begun;
      arena.begin();
      await Promise.all(Array.from({ length: LANES }, () => lane(from + campaign.roundOf)));
      const figures = await arena.settle();
      ends = figures.ends;
      add(tally, arena.tally);
      campaign.measured?.(figures, begun, tally);
      noteFailure();
      const why = memory.look(figures);
      const round = listed ?? Array.from({ length: begun - from }, (_, at) => from + at);
      if (why !== undefined) failure ??= { why, executions: round };
      if (failure?.executions.length === 0) failure = { ...failure, executions: round };
    }
  } catch (error) {
    failure ??= { why: arena.failure ?? String(error), executions: [...underWay] };
  } finally {
    await arena.close();
  }
  return { executions: begun, tally, ends, failure };
}

function add(all: InnocentTally, one: InnocentTally): void {
  all.answers += one.answers;
  all.connections += one.connections;
  all.slowestMs = Math.max(all.slowestMs, one.slowestMs);
}

/** Memory in use when nobody is there: what the first rounds have left is what a proxy needs, and no more may follow. */
class LevelMemory {
  #heap = 0;
  #rss = 0;
  #rounds = 0;

  look({ heapBytes, externalBytes, rssBytes }: Figures): string | undefined {
    this.#rounds += 1;
    const heap = heapBytes + externalBytes;
    if (this.#rounds <= 2) {
      this.#heap = Math.max(this.#heap, heap);
      this.#rss = Math.max(this.#rss, rssBytes);
      return undefined;
    }
    const grown = heap - this.#heap;
    if (grown > HEAP_GROWTH_BYTES_MAX) return `${Math.round(grown / MIB)} MiB were left on the heap`;
    const rss = rssBytes - this.#rss;
    return rss > RSS_GROWTH_BYTES_MAX ? `the process has grown by ${Math.round(rss / MIB)} MiB` : undefined;
  }
}
