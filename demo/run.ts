import { rmSync } from "node:fs";
import { join } from "node:path";
import { main as build } from "../scripts/run-build.ts";
import { MysqlServer } from "../servers/mysql-server.ts";
import { providePrograms, typedTool } from "../servers/programs.ts";
import { makeRunFolder } from "../servers/run-folder.ts";
import { APPLICATION } from "./accounts.ts";
import { EtcdFleet } from "./etcd-fleet.ts";
import { play, type Stage } from "./play.ts";
import { brokenPromises, describeSummary } from "./summary.ts";
import { SwitchyardProcess } from "./switchyard-process.ts";

const SERVER_ARGS = ["--innodb-buffer-pool-size=256M"];
const OPTIONS = ["--etcd", "--json", "--keep"];
const USAGE = "usage: npm run demo [-- [--etcd] [--json] [--keep]]\n";

/** `npm run demo`: a whole migration under traffic, on real servers, with every write accounted for. */
export async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => !OPTIONS.includes(arg))) {
    process.stderr.write(USAGE);
    return 2;
  }
  if ((await build()) !== 0) return 1;
  const stage = await setStage(args.includes("--etcd"));
  const ending = endOnSignals(stage);
  try {
    const { summary, notes, failure } = await play(stage);
    const broken = brokenPromises(summary);
    if (failure !== undefined) {
      broken.unshift(failure instanceof Error ? failure.message : String(failure));
      say(`\nThe end of Switchyard's log:\n${stage.switchyard.logTail()}`);
    }
    say(describeSummary(summary));
    for (const line of [...notes, ...broken.map((promise) => `BROKEN: ${promise}`)]) say(line);
    const exitCode = broken.length === 0 ? 0 : 1;
    if (args.includes("--keep")) tellHowToConnect(stage);
    if (args.includes("--json")) say(JSON.stringify(summary));
    if (args.includes("--keep")) await untilSignal(ending, exitCode);
    return exitCode;
  } catch (error) {
    say(`\nThe demo has failed: ${error instanceof Error ? error.message : String(error)}`);
    say(`\nThe end of Switchyard's log:\n${stage.switchyard.logTail()}`);
    return 1;
  } finally {
    await strike(stage);
  }
}

async function setStage(etcd: boolean): Promise<Stage> {
  const programs = await providePrograms(say);
  const folder = makeRunFolder();
  const server = (name: string, serverId: number): MysqlServer =>
    new MysqlServer(programs, { name, folder: join(folder, name), serverId, args: SERVER_ARGS });
  const oldHome = server("old", 1);
  const newHome = server("new", 2);
  const options = {
    backends: { old: oldHome, new: newHome },
    account: { user: "switchyard", password: "demo-switchyard" },
  };
  const switchyard = etcd
    ? await EtcdFleet.prepare(programs, { ...options, folder })
    : new SwitchyardProcess({ ...options, folder: join(folder, "switchyard") });
  return { folder, oldHome, newHome, switchyard };
}

/** Ends all that was started, and leaves no files. */
async function strike({ folder, oldHome, newHome, switchyard }: Stage): Promise<void> {
  await switchyard.stop();
  await Promise.all([oldHome.kill9(), newHome.kill9()]);
  rmSync(folder, { recursive: true, force: true });
}

/** What a signal makes of the process. */
interface Ending {
  exitCode: number;
}

/** Ctrl-C ends the servers too; a kill that cannot be caught leaves that to the watchdog of the folder. */
function endOnSignals(stage: Stage): Ending {
  const ending: Ending = { exitCode: 130 };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.stderr.write(`\n${signal}: ending the demo\n`);
      strike(stage).then(
        () => process.exit(ending.exitCode),
        () => process.exit(1),
      );
    });
  }
  return ending;
}

/** Never settles: the signal's handler ends the process, with the code of the demo that was kept. */
function untilSignal(ending: Ending, exitCode: number): Promise<never> {
  ending.exitCode = exitCode;
  setInterval(() => undefined, 60_000);
  return new Promise(() => undefined);
}

function tellHowToConnect({ switchyard, oldHome, newHome }: Stage): void {
  const mysql = typedTool("mysql");
  const { user, password } = APPLICATION;
  say(`Everything keeps running. Through Switchyard, as an application:
  ${mysql} -h 127.0.0.1 -P ${switchyard.ports[0]} -u ${user} -p${password} shop
Straight to the old home and to the new one, as root:
  ${mysql} -S ${oldHome.socket} -u root
  ${mysql} -S ${newHome.socket} -u root
Commands, for example:
  node dist/main.js migration status shop --server ${switchyard.server}
Ctrl-C ends it all.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
