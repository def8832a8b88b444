import { unlinkSync } from "node:fs";
import { SwitchyardError } from "../base/errors.ts";
import { FAILPOINTS, type Failpoint, type FailpointHook, noFailpoints } from "../base/failpoints.ts";

/**
 * The failpoint that the environment arms: SWITCHYARD_FAILPOINT names it and SWITCHYARD_FAILPOINT_FILE a file.
 *
 * When the point is reached and the file exists, the file is removed and the process kills itself. The file goes
 * first, so that the process that is started in its place gets past the point.
 *
 * @throws {SwitchyardError} `CONFIG_FAILPOINT_INVALID`
 */
export function failpointFromEnvironment(env: Readonly<Record<string, string | undefined>>): FailpointHook {
  const name = env["SWITCHYARD_FAILPOINT"];
  const file = env["SWITCHYARD_FAILPOINT_FILE"];
  if (!name) return noFailpoints;
  if (!isFailpoint(name)) {
    throw new SwitchyardError("CONFIG_FAILPOINT_INVALID", {
      what: `SWITCHYARD_FAILPOINT is "${name}", which is not a failpoint`,
      details: [`known: ${FAILPOINTS.join(", ")}`],
      fix: "Name one of these, or unset the variable. It is meant for tests only.",
    });
  }
  if (!file) {
    throw new SwitchyardError("CONFIG_FAILPOINT_INVALID", {
      what: "SWITCHYARD_FAILPOINT is set, and SWITCHYARD_FAILPOINT_FILE is not",
      fix: "Set it to a file whose existence arms the failpoint, or unset both.",
    });
  }
  return (point) => (point === name ? dieOnce(file) : Promise.resolve());
}

function isFailpoint(name: string): name is Failpoint {
  return (FAILPOINTS as readonly string[]).includes(name);
}

function dieOnce(file: string): Promise<void> {
  try {
    unlinkSync(file);
  } catch {
    return Promise.resolve();
  }
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
}
