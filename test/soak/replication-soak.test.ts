import { expect, test } from "vitest";
import { soak } from "./replication-soak.ts";

test("a minute of killed streams and servers and of failing links loses nothing and doubles nothing", async () => {
  expect(await soak.run(["--minutes", "1"])).toBe(0);
});
