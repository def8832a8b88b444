import { join } from "node:path";
import { type ClientRuntimeName, provideRuntime } from "../../servers/client-runtimes.ts";
import type { PeerCommand } from "../../servers/peer-programs.ts";

/** What the common script does; each step prints a line of its own, which `README.md` describes. */
export const STEPS = [
  "hello",
  "attributes",
  "ddl",
  "text",
  "client-side",
  "server-side",
  "commit",
  "rollback",
  "savepoint",
  "last-insert-id",
  "affected",
  "warnings",
  "duplicate",
  "no-table",
  "multi",
  "many",
  "settings",
  "ping",
  "reset",
] as const;

export type Step = (typeof STEPS)[number];

/** A client library or program with the program of ours that uses it. */
export interface Client {
  readonly name: string;
  /** Starts its program, which is compiled before where it must be. */
  readonly command: (say?: (line: string) => void) => Promise<PeerCommand>;
  /** Steps that the library has no way for, and why. */
  readonly lacks: Partial<Readonly<Record<Step, string>>>;
  /** The account it logs in as: `native` where it knows no newer method than `mysql_native_password`. */
  readonly account: "app" | "native";
  /** Whether it can do with and without TLS, or without alone. */
  readonly tls: readonly ("required" | "disabled")[];
  /** Set where the program is run at the server itself, for a library that today's servers do not let in. */
  readonly directEnv?: Readonly<Record<string, string>>;
}

const BOTH = ["required", "disabled"] as const;

function node(program: string): () => Promise<PeerCommand> {
  return () => Promise.resolve({ command: process.execPath, args: [place("node", program)], env: {} });
}

function interpreted(runtime: ClientRuntimeName, folder: string, program: string, env = {}): Client["command"] {
  return async (say) => {
    const { command, args, env: own } = await provideRuntime(runtime, say);
    return { command, args: [...args, place(folder, program)], env: { ...own, ...env } };
  };
}

function place(folder: string, program: string): string {
  return join(import.meta.dirname, folder, program);
}

export const CLIENTS: readonly Client[] = [
  { name: "mysql2", command: node("mysql2-client.ts"), lacks: {}, account: "app", tls: BOTH },
  {
    name: "PyMySQL",
    command: interpreted("python3", "python", "client.py", { DRIVER: "pymysql" }),
    lacks: { "server-side": "it prepares nothing at the server", reset: "it has neither command" },
    account: "app",
    tls: BOTH,
  },
  {
    name: "mysqlclient",
    command: interpreted("python3", "python", "client.py", { DRIVER: "MySQLdb" }),
    lacks: { "server-side": "it prepares nothing at the server" },
    account: "app",
    tls: BOTH,
  },
];
