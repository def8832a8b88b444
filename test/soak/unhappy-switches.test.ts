import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CommandResult } from "../support/serve-process.ts";
import { Arena, expectEnd, nap, told } from "./unhappy/arena.ts";

const CASE_TIMEOUT_MS = 180_000;

/** A refusal by the gate, or an abort: where a machine is busy, what is in the way is old enough for the first. */
const REFUSED_OR_ABORTED = /^[34]$/;

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.start();
}, 120_000);

afterEach(async () => {
  await arena?.atRest();
}, 120_000);

afterAll(async () => {
  await arena?.stop();
}, 60_000);

/** A case: what comes first must have failed unseen by clients; then its cause goes, and the same command succeeds. */
function story(name: string, work: () => Promise<void>): void {
  test(
    name,
    async () => {
      await work();
      await arena.calm();
      await arena.again();
    },
    CASE_TIMEOUT_MS,
  );
}

describe("what stands in the way on the old home is named", () => {
  story("a transaction that never ends, through a proxy", async () => {
    const { order } = await arena.heldMove("switch");
    expectEnd(
      await order,
      4,
      /session \d+ of app/,
      /a transaction is open for \d+\.\d s, by: INSERT INTO ledger\.entry/,
    );
  });

  story("a transaction that never ends, past the proxies", async () => {
    const open = await arena.past("old");
    await open.query("BEGIN");
    await open.query("SELECT COUNT(*) FROM ledger.counter WHERE n > 77");
    const named = [/connection \d+ app@/, /open transaction, idle for \d+ s/, /by: SELECT COUNT.* WHERE `n` > \?/];
    expectEnd(await arena.run("switch", "m"), REFUSED_OR_ABORTED, ...named);
    await nap(3500);
    expectEnd(await arena.run("switch", "m"), 3, /long-transactions/, ...named);
  });

  for (const lock of ["ledger.entry READ, ledger.counter READ", "ledger.other WRITE, ledger.counter READ"]) {
    story(`LOCK TABLES ${lock}, as by cron`, async () => {
      const result = await arena.moveWith("switch", "switch-after-drain", async () => {
        const cron = await arena.past("old");
        await cron.query(`LOCK TABLES ${lock}`);
      });
      expectEnd(result, 4, /connection \d+ app@/, /table lock, idle for \d+ s/, /by: LOCK TABLES `ledger`/);
    });
  }

  story("a backup's FLUSH TABLES WITH READ LOCK, before the switch", async () => {
    await arena.writers.pause();
    const backup = await arena.root("old");
    await backup.query("FLUSH TABLES WITH READ LOCK");
    const result = await arena.run("switch", "m");
    await backup.query("UNLOCK TABLES");
    arena.writers.resume();
    expectEnd(
      result,
      3,
      /old: connection \d+ root@.*global read lock, idle for \d+ s.*by: FLUSH TABLES WITH READ LOCK/,
    );
  });

  story("a backup's FLUSH TABLES WITH READ LOCK, in the midst of the switch", async () => {
    const backup = await arena.root("old");
    const result = await arena.moveWith("switch", "switch-after-drain", async () => {
      await backup.query("FLUSH TABLES WITH READ LOCK");
    });
    await backup.query("UNLOCK TABLES");
    expectEnd(result, 4, /connection \d+ root@/, /global read lock, idle/, /by: FLUSH TABLES/);
  });

  /**
   * 1. The switch has locked the tables. 2. A backup asks for all locks, and waits for the switch's. 3. What else the switch
   * would write on the old home waits for the backup. So it writes nothing there while clients wait, and the way back begins
   * when the backup has ended.
   */
  story("a backup's FLUSH TABLES WITH READ LOCK that waits for the switch's locks: the switch goes first", async () => {
    const backup = await arena.root("old");
    let flushed: Promise<unknown> = Promise.resolve();
    const result = await arena.moveWith("switch", "switch-after-fence", async () => {
      flushed = backup
        .query("FLUSH TABLES WITH READ LOCK")
        .then(() => nap(1000))
        .then(() => backup.query("UNLOCK TABLES"));
      await nap(200);
    });
    await flushed;
    expectEnd(result, 0);
    await arena.moves("rollback");
  });

  for (const server of ["old", "new"] as const) {
    story(`a backup's LOCK INSTANCE FOR BACKUP on the ${server} server`, async () => {
      const backup = await arena.root(server);
      await backup.query("LOCK INSTANCE FOR BACKUP");
      const result = await arena.run("switch", "m");
      expectEnd(result, 3, new RegExp(`${server}: connection \\d+ root@.*backup lock, idle.*by: LOCK INSTANCE`));
    });
  }
});

describe("a stream that does not come nearer", () => {
  story("behind a table lock on the new home: the gate names who holds it", async () => {
    const cron = await arena.root("new");
    await cron.query("LOCK TABLES ledger.entry READ, ledger.counter READ");
    await nap(1500);
    const result = await arena.run("switch", "m");
    await cron.query("UNLOCK TABLES");
    expectEnd(result, 3, /stream-lag: \d+ ms behind/, /new: connection \d+ root@.*table lock/);
  });

  story("behind a table lock that comes in the midst of the switch", async () => {
    const cron = await arena.root("new");
    const result = await arena.moveWith("switch", "switch-after-arm", async () => {
      await cron.query("LOCK TABLES ledger.entry READ, ledger.counter READ");
      await nap(300);
    });
    await cron.query("UNLOCK TABLES");
    expectEnd(result, 4, /connection \d+ root@.*table lock, idle/);
  });
});

describe("a new home that takes no writes", () => {
  for (const name of ["read_only", "super_read_only", "offline_mode"]) {
    const open = (): Promise<unknown> => arena.system.new.root(`SET GLOBAL ${name} = OFF; SET GLOBAL read_only = OFF`);
    const close = async (): Promise<void> => void (await arena.system.new.root(`SET GLOBAL ${name} = ON`));

    story(`by ${name}, before the switch and while it catches up`, async () => {
      arena.later(open);
      await close();
      await nap(1500);
      expectEnd(await arena.run("switch", "m"), 3, new RegExp(`${name}.* ON`));
    });

    story(`by ${name}, in the midst of the switch`, async () => {
      arena.later(open);
      expectEnd(await arena.moveWith("switch", "switch-after-hold", close), 4, new RegExp(name.replace("_", "[_-]")));
      await open();
    });

    story(`by ${name}, just before the swap`, async () => {
      arena.later(open);
      expectEnd(await arena.moveWith("switch", "switch-before-swap", close), 4, new RegExp(`${name}.* ON`));
      await open();
    });
  }
});

describe("a target that is full", () => {
  /**
   * What a full disk comes to for the rows: the server cannot extend its file, and answers 1114. (That a commit stands still,
   * as where the disk of the log is full, is the case of a backup's lock above.) A limit of the file needs no right to mount.
   */
  story("stops the stream by name for as long as it lasts, and no longer", async () => {
    await arena.fillTarget();
    await nap(1500);
    const status = await arena.run("migration", "status", "m");
    expect(told(status)).toMatch(/is full/);
    expectEnd(await arena.run("switch", "m"), 3, /stream-lag: \d+ ms behind; it tries again after .* is full/);
    await arena.emptyTarget();
  });
});

describe("a second operator", () => {
  const busy = /MIGRATION_BUSY: migration \\?"m\\?" is busy: switch, ordered by .+, for \d+\.\d s/;

  for (const command of [
    ["switch", "m"],
    ["rollback", "m"],
    ["migration", "cancel", "m"],
    ["migration", "pause", "m"],
    ["migration", "complete", "m"],
  ]) {
    story(`whose ${command.join(" ")} comes while a switch is under way is told who is at work`, async () => {
      let second: CommandResult | undefined;
      const first = await arena.moveWith("switch", "switch-after-arm", async () => {
        second = await arena.run(...command);
      });
      expectEnd(first, 0);
      expectEnd(second as CommandResult, 3, busy);
      await arena.moves("rollback");
    });
  }

  story("who orders the same switch in the same moment: one of them moves the tables", async () => {
    const results = await Promise.all([arena.run("switch", "m"), arena.run("switch", "m")]);
    const exits = results.map(({ exit }) => exit).sort();
    expect(exits, results.map(told).join("\n")).toEqual([0, 3]);
    expect(await arena.settled()).toBe("switched");
    await arena.moves("rollback");
  });
});

describe("a proxy that does not answer", () => {
  story("is named while it is stopped, and takes part when it goes on", async () => {
    const pid = arena.serve.childPid("proxy-2");
    arena.later(async () => void process.kill(pid, "SIGCONT"));
    process.kill(pid, "SIGSTOP");
    const result = await arena.run("switch", "m");
    process.kill(pid, "SIGCONT");
    expectEnd(result, REFUSED_OR_ABORTED, /proxy-2-\w+/, /no sign of life|has not answered|is still preparing/);
  });
});

describe("DDL in the midst of a switch", () => {
  let columns = 0;
  const alter = (): string => `ALTER TABLE ledger.entry ADD COLUMN c${++columns} INT`;

  for (const point of ["switch-after-gate", "switch-after-arm", "switch-after-hold"] as const) {
    story(`on the old home past the proxies, at ${point}, aborts it by its text`, async () => {
      const past = await arena.past("old");
      const ddl = alter();
      const result = await arena.moveWith("switch", point, async () => void (await past.query(ddl)));
      expectEnd(result, 4, new RegExp(`ADD COLUMN c${columns}`));
      expect(await arena.settled()).toBe("running");
      await arena.system.new.root(ddl);
      await arena.passDdl("forward");
    });
  }

  /**
   * 1. The rules are swapped; the old home is still locked. DDL comes there, past the proxies, and waits: it is ended. 2. Its sender tries
   * again, and nothing keeps it any more. 3. Other DDL comes on the new home, and then on the old one.
   */
  story(
    "on both homes past the proxies, right after the swap, is ended, or shown, and stops the way back by name alone",
    async () => {
      const [old, fresh] = [await arena.past("old"), await arena.past("new")];
      let waited: Promise<unknown> = Promise.resolve();
      const result = await arena.moveWith("switch", "switch-after-swap", async () => {
        waited = old.query("ALTER TABLE ledger.entry DROP COLUMN note").catch((error: unknown) => error);
        await nap(100);
      });
      expectEnd(
        result,
        0,
        /DDL that waited .* was ended there \(error 1317\)/,
        /ALTER TABLE `ledger` . `entry` DROP COLUMN `note`/,
      );
      expect(await waited).toMatchObject({ errno: 1317 });
      await old.query("ALTER TABLE ledger.entry ADD INDEX by_note (note)");
      await arena.strayShown(/by_note/);
      const ddl = alter();
      const text = new RegExp(`ADD COLUMN c${columns}`);
      await fresh.query(ddl);
      await arena.stoppedAtDdl("reverse");
      expectEnd(await arena.run("rollback", "m"), 3, text);
      await arena.system.old.root(ddl);
      await arena.strayShown(text);
      await arena.passDdl("reverse");
      await arena.moves("rollback");
    },
  );
});
