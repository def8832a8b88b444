import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failpointFromEnvironment, reachedFile } from "../../../src/config/failpoint-environment.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "switchyard-failpoint-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe("a failpoint from the environment", () => {
  test("kills the process once, and the one started in its place at the next", () => {
    const file = join(directory, "armed");
    writeFileSync(file, "switch-before-swap\nabort-after-unlock\n");
    const source = new URL("../../../src/config/failpoint-environment.ts", import.meta.url).href;
    const script = `
      import { failpointFromEnvironment, reachedFile } from ${JSON.stringify(source)};
      const hook = failpointFromEnvironment(process.env);
      await hook("switch-after-hold");
      console.log("before");
      await hook("switch-before-swap");
      console.log("after");
      await hook("abort-after-unlock");
      console.log("end");
    `;
    const env = { ...process.env, SWITCHYARD_FAILPOINT_FILE: file };
    const run = () => spawnSync(process.execPath, ["--input-type=module", "-e", script], { env, encoding: "utf8" });
    const first = run();
    expect([first.signal, first.stdout]).toEqual(["SIGKILL", "before\n"]);
    expect(readFileSync(file, "utf8")).toBe("abort-after-unlock");
    const second = run();
    expect([second.signal, second.stdout]).toEqual(["SIGKILL", "before\nafter\n"]);
    expect(existsSync(file)).toBe(false);
    const third = run();
    expect([third.status, third.stdout]).toEqual([0, "before\nafter\nend\n"]);
  });

  test("that is to wait announces itself, goes on when it is let go, and leaves the next line armed", async () => {
    const file = join(directory, "armed");
    writeFileSync(file, "wait switch-after-fence\nwait switch-after-swap\nabort-after-unlock\n");
    const hook = failpointFromEnvironment({ SWITCHYARD_FAILPOINT_FILE: file });
    await hook("switch-after-swap");
    expect(existsSync(reachedFile(file))).toBe(false);
    for (const [point, left] of [
      ["switch-after-fence", "wait switch-after-swap\nabort-after-unlock"],
      ["switch-after-swap", "abort-after-unlock"],
    ] as const) {
      let passed = false;
      const waits = hook(point).then(() => {
        passed = true;
      });
      expect(readFileSync(reachedFile(file), "utf8")).toBe(`${point} ${process.pid}`);
      expect(readFileSync(file, "utf8")).toBe(left);
      await sleep(20);
      expect(passed).toBe(false);
      rmSync(reachedFile(file));
      await waits;
      // It was armed for one time.
      await hook(point);
    }
  });

  test.each(["switch-befor-swap", "wait switch-befor-swap", "waits switch-before-swap"])(
    "of an unknown name is refused with the names that exist: %s",
    (line) => {
      const file = join(directory, "armed");
      writeFileSync(file, line);
      const arm = () => failpointFromEnvironment({ SWITCHYARD_FAILPOINT_FILE: file });
      expect(arm).toThrow(expect.objectContaining({ code: "CONFIG_FAILPOINT_INVALID" }));
      expect(arm).toThrow(/switch-before-swap/);
    },
  );

  test("does nothing while there is no file, nor in an environment that names none", async () => {
    await failpointFromEnvironment({ SWITCHYARD_FAILPOINT_FILE: join(directory, "absent") })("switch-before-swap");
    await failpointFromEnvironment({})("switch-before-swap");
  });
});
