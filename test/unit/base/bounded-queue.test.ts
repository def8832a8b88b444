import { describe, expect, test } from "vitest";
import { BoundedQueue } from "../../../src/base/bounded-queue.ts";

describe("a bounded queue", () => {
  test("keeps its producer waiting while it is full, and delivers in order", async () => {
    const queue = new BoundedQueue<number>(10);
    await queue.push(1, 6);
    let passed = false;
    const waiting = queue.push(2, 6).then(() => {
      passed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(passed).toBe(false);
    expect(await queue.shift()).toBe(1);
    await waiting;
    expect(await queue.shift()).toBe(2);
  });

  test("lets an item that is larger than the whole bound pass alone", async () => {
    const queue = new BoundedQueue<string>(10);
    await queue.push("large", 1000);
    expect(queue.size).toBe(1000);
    expect(await queue.shift()).toBe("large");
  });

  test("delivers what is inside before it says that it has ended", async () => {
    const queue = new BoundedQueue<string>(10);
    await queue.push("last", 1);
    queue.end();
    expect(await queue.shift()).toBe("last");
    expect(await queue.shift()).toBeUndefined();
  });

  test("a failure reaches the producer that waits and the consumer that waits", async () => {
    const full = new BoundedQueue<number>(1);
    await full.push(1, 1);
    const producer = full.push(2, 1);
    full.fail(new Error("the reader died"));
    await expect(producer).rejects.toThrow("the reader died");
    await expect(full.shift()).rejects.toThrow("the reader died");
    const empty = new BoundedQueue<number>(1);
    const consumer = empty.shift();
    empty.fail(new Error("the writer died"));
    await expect(consumer).rejects.toThrow("the writer died");
  });
});
