import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { deferred } from "../../../src/base/deferred.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { ControllerBase } from "../../../src/controller/controller-context.ts";
import { type AskNames, NamesWatch, namesOf } from "../../../src/controller/names-behind.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import type { NamesBehind, RulesDocument } from "../../../src/rules/rules-document.ts";
import { withArmed } from "../../../src/rules/rules-edits.ts";
import { changeRules, readRules } from "../../../src/rules/rules-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { storeWith } from "../cutover/memory-store.ts";

const TWO_HOMES = { tables: { "shop.items": { to: "new", migration: "m" } } };
const ARMED = { token: "t", tables: ["shop.orders"], newHome: "new" };
const names = (view: string): NamesBehind => ({ views: { [view]: ["shop.items"] }, triggers: {}, routines: {} });

interface World {
  readonly store: Store;
  readonly watch: NamesWatch;
  readonly rules: () => Promise<RulesDocument>;
  /** Time goes on by so much, and the watch is called as it is by the controller. */
  readonly later: (ms: number) => Promise<void>;
}

async function world(ask: AskNames, rules: Partial<RulesDocument> = TWO_HOMES): Promise<World> {
  const store = await storeWith({}, rules);
  let nowMs = 0;
  const context = {
    store,
    clock: { ...systemClock, monotonicMs: () => nowMs },
    log: silentLogger,
    backends: { old: {}, new: {} },
    signal: new AbortController().signal,
  } as unknown as ControllerBase;
  const watch = new NamesWatch(context, ask);
  const later = async (ms: number): Promise<void> => {
    nowMs += ms;
    watch.follow([]);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { store, watch, later, rules: async () => (await readRules(store)).rules };
}

describe("names that are read again while tables live on several servers", () => {
  test("one server that is down keeps what is known of it, and the other's are read", async () => {
    const { later, rules } = await world(
      (_, backend) => (backend === "old" ? Promise.reject(new Error("down")) : Promise.resolve(names("shop.fresh"))),
      { ...TWO_HOMES, behind: { old: names("shop.known") } },
    );
    await later(0);
    expect((await rules()).behind).toEqual({ old: names("shop.known"), new: names("shop.fresh") });
  });

  test("while a migration is armed nobody is asked, and soon afterwards all are", async () => {
    const asked: string[] = [];
    const { later, rules, store } = await world(
      (_, backend) => {
        asked.push(backend);
        return Promise.resolve(names("shop.fresh"));
      },
      { ...TWO_HOMES, armed: { m: ARMED } },
    );
    await later(0);
    expect([asked, (await rules()).behind]).toEqual([[], undefined]);
    await changeRules(store, (present) => ({ ...present, armed: {}, generation: present.generation + 1 }));
    await later(999);
    expect(asked).toEqual([]);
    await later(1);
    expect(asked).toEqual(["old", "new"]);
  });

  // 1. The watch asks the servers. 2. A migration is armed, with what it has found itself. 3. The watch has its answers.
  test("what an arming has found meanwhile is newer, and stays", async () => {
    const answer = deferred<NamesBehind>();
    const { later, rules, store } = await world(() => answer.promise);
    await later(0);
    await changeRules(store, (present) => ({
      ...withArmed(present, "m", ARMED),
      behind: { old: names("shop.newer"), new: names("shop.newer") },
    }));
    await changeRules(store, (present) => ({ ...present, armed: {}, generation: present.generation + 1 }));
    answer.resolve(names("shop.stale"));
    await later(1);
    expect((await rules()).behind).toEqual({ old: names("shop.newer"), new: names("shop.newer") });
    // And it looks again soon.
    await later(1000);
    expect((await rules()).behind).toEqual({ old: names("shop.stale"), new: names("shop.stale") });
  });
});

describe("a server that takes the connection and never answers", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  test("keeps nobody waiting who stops", async () => {
    const server = createServer((socket) => ends.push(() => socket.destroy()));
    ends.push(() => server.close());
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const frozen = { name: "old", host: "127.0.0.1", port, user: "u", password: "", tls: { mode: "disabled" } };
    const backends = { old: frozen as unknown as Endpoint, new: frozen as unknown as Endpoint };
    const { watch, later } = await world((context, backend) => namesOf({ ...context, backends }, backend, []));
    await later(0);
    const begun = performance.now();
    await watch.close();
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});
