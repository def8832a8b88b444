import { execFile } from "node:child_process";
import { mysqlTool } from "../../support/servers.ts";

/** How MySQL's own command line client has ended. */
export interface ClientRun {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs MySQL's own client against a port of this machine. */
export function runMysql(port: number, args: readonly string[], input = ""): Promise<ClientRun> {
  const { command, args: first } = mysqlTool("mysql");
  const all = [...first, "--protocol=TCP", "--host=127.0.0.1", `--port=${port}`, ...args];
  return new Promise((resolve) => {
    const child = execFile(command, all, { timeout: 30_000, maxBuffer: 64 * 1024 * 1024 }, (error, out, text) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, out, error: text.replaceAll(/^mysql: \[Warning\].*\n/gm, "") });
    });
    // A client that is refused at its login ends without reading.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
