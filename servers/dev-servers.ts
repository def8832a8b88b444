import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MysqlServer } from "./mysql-server.ts";
import { type Programs, providePrograms, typedTool } from "./programs.ts";
import { runningServerOf, serversFolder } from "./run-folder.ts";
import { SetupError } from "./setup-error.ts";

const NAMES = ["old", "new"];
const USAGE = "usage: npm run servers -- up|down|status\n";

/** `npm run servers -- up|down|status`: two servers for a developer, which stay until they are taken down. */
export async function main(args: readonly string[]): Promise<number> {
  const [command] = args;
  try {
    if (command === "up") await up();
    else if (command === "down") await down();
    else if (command === "status") await status();
    else {
      process.stderr.write(USAGE);
      return 2;
    }
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function up(): Promise<void> {
  const programs = await providePrograms(say);
  mkdirSync(developerFolder(), { recursive: true });
  for (const [index, name] of NAMES.entries()) {
    const server = developerServer(programs, name, index);
    if (server.pid !== 0) continue;
    await server.start();
    writeFileSync(join(server.folder, "port"), String(server.port));
  }
  await status();
}

async function down(): Promise<void> {
  const programs = await providePrograms(say);
  for (const [index, name] of NAMES.entries()) {
    const server = developerServer(programs, name, index);
    if (server.pid !== 0) await server.stop();
    rmSync(server.folder, { recursive: true, force: true });
  }
  rmSync(developerFolder(), { recursive: true, force: true });
  say("both servers are down and their data is gone");
}

async function status(): Promise<void> {
  const programs = await providePrograms(say);
  say(`servers from ${programs.origin}`);
  for (const [index, name] of NAMES.entries()) {
    const server = developerServer(programs, name, index);
    if (server.pid === 0) {
      say(`${name}: down`);
      continue;
    }
    say(`${name}: up, ${server.host}:${server.port}, pid ${server.pid}, user root without a password`);
    say(`  ${typedTool("mysql")} -h ${server.host} -P ${server.port} -u root`);
  }
}

/** The server of this name: running, if it was started before, else ready to be started. */
function developerServer(programs: Programs, name: string, index: number): MysqlServer {
  const folder = join(developerFolder(), name);
  const pid = runningServerOf(folder);
  const portFile = join(folder, "port");
  const port = existsSync(portFile) ? Number(readFileSync(portFile, "utf8")) : undefined;
  const server = new MysqlServer(programs, {
    name,
    folder,
    serverId: index + 1,
    ...(port === undefined ? {} : { port }),
  });
  if (pid !== undefined && port !== undefined) server.adopt(pid, port);
  return server;
}

/** One pair for each clone. */
function developerFolder(): string {
  const clone = createHash("sha256").update(process.cwd()).digest("hex").slice(0, 8);
  return join(serversFolder(), `dev-${clone}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
