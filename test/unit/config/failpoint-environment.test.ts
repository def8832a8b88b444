import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failpointFromEnvironment } from "../../../src/config/failpoint-environment.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "switchyard-failpoint-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe("a failpoint from the environment", () => {
  test("kills the process once, and lets the one started in its place go on", () => {
    const file = join(directory, "armed");
    writeFileSync(file, "");
    const source = new URL("../../../src/config/failpoint-environment.ts", import.meta.url).href;
    const script = `
      import { failpointFromEnvironment } from ${JSON.stringify(source)};
      const hook = failpointFromEnvironment(process.env);
      await hook("switch-after-hold");
      console.log("before");
      await hook("switch-before-swap");
      console.log("after");
    `;
    const env = { ...process.env, SWITCHYARD_FAILPOINT: "switch-before-swap", SWITCHYARD_FAILPOINT_FILE: file };
    const run = () => spawnSync(process.execPath, ["--input-type=module", "-e", script], { env, encoding: "utf8" });
    const first = run();
    expect([first.signal, first.stdout]).toEqual(["SIGKILL", "before\n"]);
    expect(existsSync(file)).toBe(false);
    const second = run();
    expect([second.status, second.stdout]).toEqual([0, "before\nafter\n"]);
  });

  test("of an unknown name is refused with the names that exist", () => {
    const arm = () => failpointFromEnvironment({ SWITCHYARD_FAILPOINT: "switch-befor-swap" });
    expect(arm).toThrow(expect.objectContaining({ code: "CONFIG_FAILPOINT_INVALID" }));
    expect(arm).toThrow(/switch-before-swap/);
  });

  test("without a file is refused, and an environment without one does nothing", async () => {
    const arm = () => failpointFromEnvironment({ SWITCHYARD_FAILPOINT: "switch-before-swap" });
    expect(arm).toThrow(expect.objectContaining({ code: "CONFIG_FAILPOINT_INVALID" }));
    await failpointFromEnvironment({})("switch-before-swap");
  });
});
