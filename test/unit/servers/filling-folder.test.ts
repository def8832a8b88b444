import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fillingFolder } from "../../../servers/filling-folder.ts";

test("a cache that was interrupted while it was filled is filled anew, and keeps nothing of the first try", () => {
  const cache = mkdtempSync(join(tmpdir(), "switchyard-cache-"));
  onTestFinished(() => rmSync(cache, { recursive: true }));
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const living = process.ppid;
  for (const pid of [dead, living]) mkdirSync(join(cache, `tree.filling-${pid}`, "half"), { recursive: true });
  const folder = fillingFolder(join(cache, "tree"));
  expect(readdirSync(folder)).toEqual([]);
  expect(readdirSync(cache).sort()).toEqual([`tree.filling-${living}`, `tree.filling-${process.pid}`].sort());
});
