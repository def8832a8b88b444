import { createHash } from "node:crypto";
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { fillingFolder } from "./filling-folder.ts";
import { withLockFile } from "./lock-file.ts";
import type { Programs } from "./programs.ts";
import { runCommand } from "./run-command.ts";

/** Root without a password, by socket and by TCP from this machine; for tests, which leave the rest to least privilege. */
const INIT_SQL = [
  "CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '';",
  "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
  "",
].join("\n");

/**
 * Copies a freshly initialised data directory to `to`. The original is made once for each build of mysqld and kept in
 * the cache; copying it takes a fraction of the time that initialising takes. The copy has no `auto.cnf`, so each
 * server gives itself an identity of its own.
 */
export async function copyPristineDatadir(programs: Programs, to: string): Promise<void> {
  const from = await pristineDatadir(programs);
  await runCommand("cp", ["-R", "--reflink=auto", "--sparse=always", from, to]).catch(() =>
    // Another cp than GNU's knows neither option.
    runCommand("cp", ["-R", from, to]),
  );
}

async function pristineDatadir(programs: Programs): Promise<string> {
  const file = statSync(programs.mysqldFile);
  const identity = `${programs.mysqldFile} ${file.size} ${file.mtimeMs} ${INIT_SQL}`;
  const place = join(cacheFolder(), `datadir-${createHash("sha256").update(identity).digest("hex").slice(0, 8)}`);
  if (existsSync(place)) return place;
  await withLockFile(
    `${place}.lock`,
    () => undefined,
    async () => {
      if (existsSync(place)) return;
      const work = fillingFolder(place);
      try {
        const datadir = join(work, "data");
        const initFile = join(work, "init.sql");
        writeFileSync(initFile, INIT_SQL);
        const user = process.getuid?.() === 0 ? ["--user=root"] : [];
        await runCommand(programs.mysqld.command, [
          ...programs.mysqld.args,
          ...user,
          "--initialize-insecure",
          `--datadir=${datadir}`,
          `--init-file=${initFile}`,
          "--innodb-redo-log-capacity=32M",
        ]);
        rmSync(join(datadir, "auto.cnf"), { force: true });
        if (!existsSync(place)) renameSync(datadir, place);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    },
  );
  return place;
}
