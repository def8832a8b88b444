import { describe, expect, test } from "vitest";
import { type HeldStatement, HoldQueue } from "../../../src/proxy/hold-queue.ts";

const ORDERS = new Set(["orders"]);

function queue(limits: Partial<ConstructorParameters<typeof HoldQueue>[0]> = {}): HoldQueue {
  return new HoldQueue(
    {
      ...{ holdStatementsMax: 100, holdBytesMax: 1000, releasePerTurnMax: 2, releaseInFlightMax: 100 },
      ...{ releaseSlotMs: 1000, ...limits },
    },
    () => undefined,
  );
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets a statement wait and notes how that ends. */
function waiting(from: HoldQueue, statement: HeldStatement, ended: string[], name: string): void {
  void from.wait(statement, ["orders"]).then((outcome) => ended.push(`${name} ${outcome}`));
}

describe("held statements", () => {
  test("go on in the order in which they came, some in each turn", async () => {
    const held = queue();
    const ended: string[] = [];
    for (const name of ["a", "b", "c", "d", "e"]) waiting(held, held.statement(1, 0), ended, name);
    held.release(ORDERS);
    await Promise.resolve();
    expect(ended).toEqual(["a released", "b released"]);
    await turns(4);
    expect(ended.map((one) => one[0]).join("")).toBe("abcde");
    expect(held.waiting).toBe(0);
  });

  test("keep their place where they have to wait again", async () => {
    const held = queue();
    const ended: string[] = [];
    const [first, second] = [held.statement(1, 0), held.statement(1, 0)];
    waiting(held, second, ended, "second");
    waiting(held, first, ended, "first");
    held.release(ORDERS);
    await turns(2);
    expect(ended).toEqual(["first released", "second released"]);
  });

  test("are bounded by number and by bytes, and what is released makes room", async () => {
    const held = queue({ holdStatementsMax: 2, holdBytesMax: 10 });
    const ended: string[] = [];
    waiting(held, held.statement(6, 0), ended, "six");
    waiting(held, held.statement(5, 0), ended, "five");
    await turns(1);
    expect(ended).toEqual(["five full"]);
    waiting(held, held.statement(4, 0), ended, "four");
    waiting(held, held.statement(0, 0), ended, "third");
    await turns(1);
    expect(ended).toEqual(["five full", "third full"]);
    held.release(ORDERS);
    await turns(3);
    expect(held.bytes).toBe(0);
  });

  test("that are removed end once, and are not released later", async () => {
    const held = queue();
    const ended: string[] = [];
    const [one, two] = [held.statement(1, 0), held.statement(1, 0)];
    waiting(held, one, ended, "one");
    waiting(held, two, ended, "two");
    held.remove(one, "killed");
    held.remove(one, "abandoned");
    held.release(ORDERS);
    await turns(3);
    expect(ended).toEqual(["one killed", "two released"]);
    expect([held.waiting, held.bytes]).toEqual([0, 0]);
  });

  test("are given up by age, and by the migration they wait for", async () => {
    const held = queue();
    const ended: string[] = [];
    waiting(held, held.statement(1, 100), ended, "old");
    waiting(held, held.statement(1, 900), ended, "young");
    held.giveUp(new Set(["other"]), 1000);
    held.giveUp(ORDERS, 500);
    await turns(1);
    expect(ended).toEqual(["old given-up"]);
    held.release(new Set(["other"]));
    await turns(1);
    expect(held.waiting).toBe(1);
  });

  /** Lets a statement of a client wait; what is given back tells of its answer. */
  function clientOf(from: HoldQueue, going: string[]): (client: string, name: string) => () => void {
    return (client, name) => {
      const statement = from.statement(1, 0, client);
      void from.wait(statement, ["orders"]).then(() => going.push(name));
      return () => from.done(statement);
    };
  }

  test("go on only so many at a time: one more for each answer, so that a cold home is not overrun", async () => {
    const held = queue({ releasePerTurnMax: 100, releaseInFlightMax: 3 });
    const going: string[] = [];
    const add = clientOf(held, going);
    const answers = Array.from({ length: 10 }, (_, at) => add("one", `${at}`));
    held.release(ORDERS);
    await turns(5);
    expect([going.join(""), held.onTheWay, held.waiting]).toEqual(["012", 3, 7]);
    answers[1]?.();
    answers[1]?.();
    await turns(1);
    expect([going.join(""), held.onTheWay]).toEqual(["0123", 3]);
    for (const answer of answers) {
      answer();
      await turns(1);
    }
    expect([going.join(""), held.onTheWay, held.waiting]).toEqual(["0123456789", 0, 0]);
  });

  test("make room for the next when they have no answer for long: it may be the one that they wait for", async () => {
    const held = queue({ releasePerTurnMax: 100, releaseInFlightMax: 1, releaseSlotMs: 20 });
    const going: string[] = [];
    const add = clientOf(held, going);
    add("one", "waits for a lock");
    add("one", "holds it");
    held.release(ORDERS);
    await turns(2);
    expect(going).toEqual(["waits for a lock"]);
    await expect.poll(() => going).toEqual(["waits for a lock", "holds it"]);
    held.close();
  });

  test("of a client with very many of them keep no other client waiting", async () => {
    const held = queue({ releasePerTurnMax: 100, releaseInFlightMax: 2 });
    const going: string[] = [];
    const add = clientOf(held, going);
    const answers = Array.from({ length: 50 }, (_, at) => add("greedy", `g${at}`));
    add("modest", "m0");
    add("modest", "m1");
    held.release(ORDERS);
    await turns(1);
    expect(going).toEqual(["g0", "m0"]);
    answers[0]?.();
    await turns(1);
    answers[1]?.();
    await turns(1);
    expect(going).toEqual(["g0", "m0", "g1", "m1"]);
  });
});
