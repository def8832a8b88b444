import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { soak } from "./switch-soak.ts";

/** Of the matrix those that have the most to tell; `npm run soak -- switch --faults` runs all. */
const CELLS = [
  "before-swap/etcd/cut",
  "after-fence/controller/stop",
  "after-fence/old-home/kill",
  "after-swap/new-home/kill",
  "after-hold/proxy/stop",
];

test("what breaks at a step of a switch loses nothing, doubles nothing, and all comes to rest by itself", async () => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-faults-"));
  const only = CELLS.flatMap((cell) => ["--only", cell]);
  expect(await soak.run(["--faults", "--patience", "3", "--progress", join(folder, "cells"), ...only])).toBe(0);
  rmSync(folder, { recursive: true });
});
