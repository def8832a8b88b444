import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { type Deferred, deferred } from "../../src/base/deferred.ts";

export interface CommandRequest {
  readonly id: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface CommandAnswer {
  readonly id: number;
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

const HOST = join(import.meta.dirname, "command-host.ts");

let host: ChildProcess | undefined;
let requests = 0;
const pending = new Map<number, Deferred<CommandAnswer>>();

/**
 * Runs one command of `switchyard`, as a process of its own would, with this environment. One process does so for all tests of
 * a file: to load the program takes longer than most commands do.
 */
export function runCommand(args: readonly string[], env: CommandRequest["env"]): Promise<CommandAnswer> {
  host ??= startHost();
  const answer = deferred<CommandAnswer>();
  const request: CommandRequest = { id: ++requests, args, env };
  pending.set(request.id, answer);
  host.send(request);
  return answer.promise;
}

function startHost(): ChildProcess {
  const child = fork(HOST, { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.on("message", (answer: CommandAnswer) => {
    pending.get(answer.id)?.resolve(answer);
    pending.delete(answer.id);
  });
  child.on("exit", (code, signal) => {
    host = undefined;
    const ended = new Error(`the process that runs commands has ended (${signal ?? code})`);
    for (const answer of pending.values()) answer.reject(ended);
    pending.clear();
  });
  // It must not keep a test file from ending, and ends with it.
  child.unref();
  child.channel?.unref();
  return child;
}
