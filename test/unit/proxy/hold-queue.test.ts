import { describe, expect, test } from "vitest";
import { type HeldStatement, HoldQueue } from "../../../src/proxy/hold-queue.ts";

const ORDERS = new Set(["orders"]);

function queue(limits: Partial<ConstructorParameters<typeof HoldQueue>[0]> = {}): HoldQueue {
  return new HoldQueue(
    { holdStatementsMax: 100, holdBytesMax: 1000, releasePerTurnMax: 2, ...limits },
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
});
