import { spawn } from "node:child_process";

export interface Ended {
  readonly code: number;
  /** Standard output and error as they came, when captured. */
  readonly output: string;
}

/** Runs a program of the packages to its end: on this terminal, or captured to be shown only if it fails. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly capture?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = spawn(command, args, {
    stdio: options.capture ? ["ignore", "pipe", "pipe"] : "inherit",
    env: { ...process.env, ...options.env },
  });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  child.on("error", (error) => resolve({ code: 1, output: `${command}: ${error.message}` }));
  child.on("close", (code) => resolve({ code: code ?? 1, output }));
  return promise;
}
