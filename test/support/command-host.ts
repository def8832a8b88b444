import { systemClock } from "../../src/base/clock.ts";
import { runCli } from "../../src/cli/program.ts";
import { readEnvironment } from "../../src/config/environment.ts";
import type { CommandAnswer, CommandRequest } from "./command-runner.ts";

// Runs the commands that it is sent, as the entry point would, and lives as long as whoever sends them.

async function run({ id, args, env }: CommandRequest): Promise<CommandAnswer> {
  let stdout = "";
  let stderr = "";
  const exit = await runCli(args, {
    environment: readEnvironment(env),
    clock: systemClock,
    version: "test",
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    terminal: undefined,
    signal: new AbortController().signal,
    serve: () => Promise.reject(new Error("what serves is a process of its own")),
  });
  return { id, exit, stdout, stderr };
}

process.on("message", (request: CommandRequest) => {
  void run(request).then((answer) => process.send?.(answer));
});
process.on("disconnect", () => process.exit());
