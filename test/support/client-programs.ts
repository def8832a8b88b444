import { execFile } from "node:child_process";
import { mysqlTool } from "./servers.ts";

/** How one of MySQL's own client programs has ended. */
export interface ProgramRun {
  readonly code: number;
  readonly out: string;
  /** Without the remark that a password on a command line may be seen. */
  readonly error: string;
}

/** Whether a client encrypts its connection. Without, `caching_sha2_password` takes the server's RSA key. */
export type ClientTls = "required" | "disabled";

export interface ProgramAccount {
  readonly user: string;
  readonly password: string;
}

/** Runs `mysql` or `mysqldump` against a port of this machine, over TCP. */
export function runClientProgram(
  name: "mysql" | "mysqldump",
  to: { readonly port: number; readonly tls: ClientTls; readonly account: ProgramAccount },
  args: readonly string[],
  input = "",
): Promise<ProgramRun> {
  const { command, args: first } = mysqlTool(name);
  const { user, password } = to.account;
  const place = ["--protocol=TCP", "--host=127.0.0.1", `--port=${to.port}`, `--user=${user}`, `--password=${password}`];
  // Else `mysql` speaks what the locale of the machine says.
  const charset = ["--default-character-set=utf8mb4"];
  const tls = to.tls === "required" ? ["--ssl-mode=REQUIRED"] : ["--ssl-mode=DISABLED", "--get-server-public-key"];
  return new Promise((resolve) => {
    const options = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(command, [...first, ...place, ...charset, ...tls, ...args], options, (error, out, text) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, out, error: text.replaceAll(/^mysql(dump)?: \[Warning\] Using a password.*\n/gm, "") });
    });
    // A client that is refused at its login ends without reading.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
