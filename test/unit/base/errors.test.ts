import { describe, expect, test } from "vitest";
import { assert } from "../../../src/base/assert.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../../../src/base/errors.ts";
import { Mutex } from "../../../src/base/mutex.ts";

describe("an error", () => {
  test("says what happened, the facts, what was changed and what to do, in this order", () => {
    const error = new SwitchyardError("TIMEOUT", {
      what: "the lock was not granted",
      details: ["holder 17", "waited 500 ms"],
      changed: "Nothing was changed.",
      fix: "End transaction 17.",
    });
    expect(error.message).toBe(
      "TIMEOUT: the lock was not granted\n  holder 17\n  waited 500 ms\nNothing was changed.\nEnd transaction 17.",
    );
  });

  test("is matched by code, and a stranger's error matches none", () => {
    const error = new SwitchyardError("TIMEOUT", { what: "x", cause: new Error("inner") });
    expect(isSwitchyardError(error, "TIMEOUT", "CANCELLED")).toBe(true);
    expect(isSwitchyardError(error, "CANCELLED")).toBe(false);
    expect(isSwitchyardError(new Error("TIMEOUT"), "TIMEOUT")).toBe(false);
    expect(messageOf(error.cause)).toBe("inner");
    expect(messageOf("thrown text")).toBe("thrown text");
  });

  test("a broken invariant names the statement that did not hold", () => {
    expect(() => assert(false, "1 is 2")).toThrow(/INTERNAL_INVARIANT.*1 is 2/);
    expect(() => assert(true, "1 is 1")).not.toThrow();
  });
});

describe("a mutex", () => {
  test("keeps the order of arrival, and a failure does not stop those behind it", async () => {
    const mutex = new Mutex();
    const order: number[] = [];
    const first = mutex.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push(1);
      throw new Error("first failed");
    });
    const second = mutex.run(() => Promise.resolve(order.push(2)));
    await expect(first).rejects.toThrow("first failed");
    await second;
    expect(order).toEqual([1, 2]);
  });
});
