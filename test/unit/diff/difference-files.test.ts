import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DifferenceFiles } from "../../../src/diff/difference-files.ts";

test("a diff never takes for its own what an earlier one has left on this machine, however long", () => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-differences-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const earlier = new DifferenceFiles(folder, "earlier", 1000);
  const file = earlier.open("t.t", 0);
  file.add({ key: "id=1" });
  file.close();
  const kept = { fileBytes: 5 };
  expect(new DifferenceFiles(folder, "later", 1000).adopt("t.t", kept)).toBe(false);
  expect(new DifferenceFiles(folder, "earlier", 1000).adopt("t.t", kept)).toBe(true);
  new DifferenceFiles(folder, "later", 1000).clear();
  expect(existsSync(earlier.written?.directory ?? "")).toBe(false);
});
