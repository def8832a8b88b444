import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { ToolName } from "../../servers/programs.ts";
import { mysqlTool } from "./servers.ts";

const TOLD_LENGTH_MAX = 2000;

/**
 * What one of MySQL's own tools prints, line by line.
 *
 * @throws {Error} with the end of what it has said on stderr, where it fails.
 */
export async function* toolLines(
  name: ToolName,
  args: readonly string[],
  encoding: "utf8" | "latin1",
): AsyncGenerator<string> {
  const tool = mysqlTool(name);
  const child = spawn(tool.command, [...tool.args, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told = (told + text).slice(-TOLD_LENGTH_MAX);
  });
  const ended = once(child, "close");
  yield* createInterface({ input: child.stdout.setEncoding(encoding) });
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${told}`);
}
