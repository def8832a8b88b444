import { expect, test } from "vitest";
import { autoIncrementMax } from "../../../src/cutover/auto-increment-max.ts";

test.each([
  ["tinyint", 127n],
  ["tinyint unsigned", 255n],
  ["smallint", 32_767n],
  ["mediumint unsigned", 16_777_215n],
  ["int", 2_147_483_647n],
  ["int(10) unsigned zerofill", 4_294_967_295n],
  ["bigint", 9_223_372_036_854_775_807n],
  ["bigint unsigned", 18_446_744_073_709_551_615n],
  ["double", 0n],
])("the largest id of %s is %d", (type, max) => {
  expect(autoIncrementMax(type)).toBe(max);
});
