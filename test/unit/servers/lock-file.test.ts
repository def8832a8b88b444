import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { withLockFile } from "../../../servers/lock-file.ts";

/** The path of a lock in a folder of the running test's own. */
const newLock = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-lock-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "lock");
};

describe("the lock of the cache", () => {
  test("lets one at a time through", async () => {
    const path = newLock();
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLockFile(path, () => undefined, work)));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  test("of a process that has died is broken, and nothing is left behind", async () => {
    const path = newLock();
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(path, JSON.stringify({ pid: dead, host: hostname(), nonce: "n" }));
    await expect(
      withLockFile(
        path,
        () => undefined,
        async () => "done",
      ),
    ).resolves.toBe("done");
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  test("cut off in the middle of writing is broken", async () => {
    const path = newLock();
    writeFileSync(path, '{"pid":');
    await expect(
      withLockFile(
        path,
        () => undefined,
        async () => "done",
      ),
    ).resolves.toBe("done");
  });

  test("of a living process is waited for, and the waiting is told once", async () => {
    const path = newLock();
    let told = 0;
    const first = withLockFile(
      path,
      () => undefined,
      () => sleep(500, "first"),
    );
    const second = withLockFile(
      path,
      () => told++,
      async () => "second",
    );
    await expect(Promise.all([first, second])).resolves.toEqual(["first", "second"]);
    expect(told).toBe(1);
  });

  test("is given back when the work fails", async () => {
    const path = newLock();
    const work = withLockFile(
      path,
      () => undefined,
      () => Promise.reject(new Error("no")),
    );
    await expect(work).rejects.toThrow("no");
    expect(existsSync(path)).toBe(false);
  });
});
