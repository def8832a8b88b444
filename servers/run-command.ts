import { spawn } from "node:child_process";
import { SetupError } from "./setup-error.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end and gives its standard output.
 *
 * @throws {SetupError} naming the command and the end of its output, when it fails or cannot be started.
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.on("error", (cause) => {
    reject(new SetupError(`cannot run ${command}: ${cause.message}`, { cause }));
  });
  child.on("close", (code, signal) => {
    if (code === 0) resolve(output);
    else
      reject(new SetupError(`${command} ${args.join(" ")} ended with ${signal ?? code}:\n${tail(errors || output)}`));
  });
  return promise;
}

function tail(text: string): string {
  return text.trimEnd().split("\n").slice(-20).join("\n");
}
