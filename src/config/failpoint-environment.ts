import { readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { SwitchyardError } from "../base/errors.ts";
import { FAILPOINTS, type Failpoint, type FailpointHook, noFailpoints } from "../base/failpoints.ts";

/**
 * The failpoints that the environment arms: SWITCHYARD_FAILPOINT_FILE names a file with one of them on each line, which
 * may be written at any time.
 *
 * When the point of the first line is reached, that line is removed and the process kills itself. The line goes first,
 * so that the process that is started in its place gets past the point, and on to that of the next line.
 *
 * @throws {SwitchyardError} `CONFIG_FAILPOINT_INVALID`, also from the hook, where the file names a point that is none
 */
export function failpointFromEnvironment(env: Readonly<Record<string, string | undefined>>): FailpointHook {
  const file = env["SWITCHYARD_FAILPOINT_FILE"];
  if (!file) return noFailpoints;
  armed(file);
  return (point) => {
    const [next, ...later] = armed(file);
    return next === point ? die(file, later) : Promise.resolve();
  };
}

/** The points that are still to be reached; none where there is no such file. */
function armed(file: string): readonly Failpoint[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  const names = text.split("\n").filter((name) => name !== "");
  for (const name of names) if (!isFailpoint(name)) throw unknown(name);
  return names as Failpoint[];
}

function isFailpoint(name: string): name is Failpoint {
  return (FAILPOINTS as readonly string[]).includes(name);
}

function unknown(name: string): SwitchyardError {
  return new SwitchyardError("CONFIG_FAILPOINT_INVALID", {
    what: `SWITCHYARD_FAILPOINT_FILE names "${name}", which is not a failpoint`,
    details: [`known: ${FAILPOINTS.join(", ")}`],
    fix: "Name one of these, or unset the variable. It is meant for tests only.",
  });
}

function die(file: string, later: readonly Failpoint[]): Promise<void> {
  if (later.length === 0) unlinkSync(file);
  else {
    // Whoever reads it meanwhile sees the old lines or the new ones, never half of them.
    writeFileSync(`${file}.next`, later.join("\n"));
    renameSync(`${file}.next`, file);
  }
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
}
