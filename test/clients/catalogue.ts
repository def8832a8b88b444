import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type ClientRuntimeName, compiledFolder, provideRuntime } from "../../servers/client-runtimes.ts";
import { fillingFolder } from "../../servers/filling-folder.ts";
import type { PeerCommand } from "../../servers/peer-programs.ts";
import { providePrograms } from "../../servers/programs.ts";
import { runCommand } from "../../servers/run-command.ts";

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
  /** Whether it compresses what it sends, where it is told to and the server agrees. */
  readonly compresses: boolean;
  /** What it complains of on stderr at the server too, where packets are compressed, and goes on. */
  readonly grumbles?: RegExp;
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

/** A program that is compiled once for this machine, and again when its source or its compiler is another. */
function compiled(compiler: ClientRuntimeName, folder: string, source: string, build: Build): Client["command"] {
  return async (say) => {
    const found = await provideRuntime(compiler, say);
    const path = place(folder, source);
    const hash = createHash("sha256")
      .update(readFileSync(path))
      .update(JSON.stringify(found))
      .digest("hex")
      .slice(0, 12);
    const made = join(compiledFolder(folder), hash);
    if (!existsSync(made)) {
      const beside = fillingFolder(made);
      mkdirSync(beside, { recursive: true });
      await runCommand(found.command, [...found.args, ...build.args(beside, path)], { env: found.env });
      renameSync(beside, made);
    }
    return build.command(made);
  };
}

interface Build {
  readonly args: (made: string, source: string) => readonly string[];
  readonly command: (made: string) => Promise<PeerCommand>;
}

const GO: Build = {
  args: (made, source) => ["build", "-o", join(made, "client"), source],
  command: async (made) => ({ command: join(made, "client"), args: [], env: {} }),
};

const JAVA: Build = {
  args: (made, source) => ["-17", "-nowarn", "-encoding", "UTF-8", "-d", made, source],
  command: async (made) => {
    const { command, args, env } = await provideRuntime("java");
    const classes = [made, env["CLASSPATH"]].join(":");
    return { command, args: [...args, "-Dmariadb.logging.disable=true", "-cp", classes, "Client"], env };
  },
};

const ALL: readonly Client[] = [
  {
    name: "mysql",
    command: async (say = () => undefined) => {
      const { command, args } = (await providePrograms(say)).tool("mysql");
      return { command: "sh", args: [place("mysql", "client.sh"), command, ...args], env: {} };
    },
    lacks: { "server-side": "PREPARE as a statement keeps a session where it is" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "mysql2",
    command: node("mysql2-client.ts"),
    lacks: {},
    account: "app",
    compresses: true,
    grumbles: /^Warning: got packets out of order\. .*\n/gm,
    tls: BOTH,
  },
  {
    name: "PyMySQL",
    command: interpreted("python3", "python", "client.py", { DRIVER: "pymysql" }),
    lacks: { "server-side": "it prepares nothing at the server", reset: "it has neither command" },
    account: "app",
    compresses: false,
    tls: BOTH,
  },
  {
    name: "mysqlclient",
    command: interpreted("python3", "python", "client.py", { DRIVER: "MySQLdb" }),
    lacks: { "server-side": "it prepares nothing at the server" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "mysqljs",
    command: node("mysqljs-client.ts"),
    lacks: { "server-side": "it prepares nothing at the server" },
    account: "native",
    compresses: false,
    // With TLS it speaks to no server of today: it knows no version that they accept.
    tls: ["disabled"],
    directEnv: { LIBRARY: "mysql2" },
  },
  {
    name: "mariadb (Node)",
    command: node("mariadb-client.ts"),
    lacks: { reset: "it sends neither command to a server of MySQL's" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "DBD::mysql",
    command: interpreted("perl", "perl", "client.pl", { DRIVER: "mysql" }),
    lacks: { reset: "it has neither command" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "DBD::MariaDB",
    command: interpreted("perl", "perl", "client.pl", { DRIVER: "MariaDB" }),
    lacks: { reset: "it has neither command" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "mysqli",
    command: interpreted("php", "php", "mysqli-client.php"),
    lacks: {},
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "PDO",
    command: interpreted("php", "php", "pdo-client.php"),
    lacks: { ping: "it has neither command", reset: "it has neither command" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "mysql2 (Ruby)",
    command: interpreted("ruby", "ruby", "client.rb"),
    lacks: { reset: "it has neither command" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "go-sql-driver",
    command: compiled("go", "go", "client.go", GO),
    grumbles: /^\[mysql\] .* \[warn\] unexpected sequence nr: .*\n/gm,
    lacks: { reset: "it has neither command" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
  {
    name: "Connector/J (MariaDB)",
    command: compiled("ecj", "java", "Client.java", JAVA),
    lacks: { reset: "it sends neither command to a server of MySQL's" },
    account: "app",
    compresses: true,
    tls: BOTH,
  },
];

const wanted = process.env["CLIENTS"]?.split(",");

/** Those that are run: all, or those that the environment names. */
export const CLIENTS = ALL.filter(({ name }) => wanted?.includes(name) ?? true);
