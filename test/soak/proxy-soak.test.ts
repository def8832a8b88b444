import { expect, test } from "vitest";
import { levelOf } from "./level.ts";
import { soak } from "./proxy-soak.ts";

test("thousands of idle sessions and busy ones see no error for a minute of swapped rules, and nothing leaks", async () => {
  expect(await soak.run(["--minutes", "1"])).toBe(0);
});

test("what grows in the last third as in the middle one is a leak, what grew before is not", () => {
  const leak = Array.from({ length: 30 }, (_, at) => 100 + at);
  expect(levelOf(leak, 0.05, 1).level).toBe(false);
  expect(
    levelOf(
      leak.map((value) => Math.min(value, 112)),
      0.05,
      1,
    ),
  ).toMatchObject({ level: true, last: 112 });
  expect(() => levelOf([1, 2, 3], 0, 0)).toThrow("too few");
});
