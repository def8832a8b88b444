import { spawn } from "node:child_process";
import { SetupError } from "./setup-error.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a program has ended. */
export interface EndedCommand {
  readonly exit: number | NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

/**
 * Runs a program to its end, however that is.
 *
 * @throws {SetupError} when it cannot be started.
 */
export function endCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<EndedCommand> {
  const { promise, resolve, reject } = Promise.withResolvers<EndedCommand>();
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
  child.on("close", (code, signal) => resolve({ exit: signal ?? code, output, errors }));
  return promise;
}

/**
 * Runs a program to its end and gives its standard output.
 *
 * @throws {SetupError} naming the command and the end of its output, when it fails or cannot be started.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { exit, output, errors } = await endCommand(command, args, options);
  if (exit === 0) return output;
  throw new SetupError(`${command} ${args.join(" ")} ended with ${exit}:\n${tail(errors || output)}`);
}

function tail(text: string): string {
  return text.trimEnd().split("\n").slice(-20).join("\n");
}
