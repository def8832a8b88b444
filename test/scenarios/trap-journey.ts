import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServeProcess } from "../support/serve-process.ts";
import type { TestServer } from "../support/servers.ts";
import { TestSystem } from "../support/system.ts";
import type { Trap } from "./trap-folders.ts";
import { dump, tablesIn } from "./trap-oracle.ts";

/** As many as one migration moves. */
const TABLES_MAX = 60;
const TRIES_MAX = 4;
const REFUSED = 3;
const ABORTED = 4;
const SESSIONS = 4;
const SETTLED_MAX_MS = 20_000;

interface Luggage {
  readonly trap: Trap;
  readonly tables: readonly string[];
}

/**
 * Two servers, Switchyard before them, and traps that travel together: one copy, one switch, one rollback. What goes
 * wrong with one trap is written down for that trap, and the others travel on.
 */
export class TrapJourney {
  readonly system: TestSystem;
  readonly wrong = new Map<string, string[]>();
  readonly #folder = mkdtempSync(join(tmpdir(), "switchyard-traps-"));
  #serve: ServeProcess | undefined;
  #luggage: Luggage[] = [];
  #migrations: string[] = [];
  #round = 0;

  private constructor(system: TestSystem) {
    this.system = system;
  }

  static async begin(traps: readonly Trap[]): Promise<TrapJourney> {
    const args = ["--max-allowed-packet=64M", "--innodb-redo-log-capacity=512M"];
    const system = await TestSystem.start({ schemas: traps.map(({ name }) => name), args });
    return new TrapJourney(system);
  }

  /** Makes and fills the tables of these traps on the old home. */
  async pack(traps: readonly Trap[]): Promise<void> {
    await each(traps, async (trap) => {
      await this.#note(trap, "before the copy", () =>
        run(this.system.old, trap, `CREATE DATABASE \`${trap.name}\``, trap.schema, trap.load),
      );
    });
    for (const trap of traps) {
      this.#luggage.push({ trap, tables: await tablesIn(this.system.old, trap.name) });
    }
  }

  /** Runs every trap's changes on its home. */
  async change(home: TestServer): Promise<void> {
    const round = ++this.#round;
    await each(this.#luggage, async ({ trap }) => {
      await this.#note(trap, `changes, round ${round}`, () => run(home, trap, `SET @round = ${round}`, trap.changes));
    });
  }

  /** Makes on the new home what does not move by itself. */
  async takeAlong(): Promise<void> {
    const some = this.#luggage.filter(({ trap }) => trap.along !== "");
    await each(some, async ({ trap }) => {
      await this.#note(trap, "what moves along", () => run(this.system.new, trap, "SELECT 1", trap.along));
    });
  }

  /** Copies all tables, while the changes run that `meanwhile` makes. */
  async copy(meanwhile: () => Promise<void>): Promise<void> {
    const serve = await this.system.serve();
    this.#serve = serve;
    const groups = groupsOf(this.#luggage);
    this.#migrations = groups.map((_, i) => `traps-${i + 1}`);
    const creating = groups.map(async (tables, i) => {
      const name = this.#migrations[i] ?? "";
      const file = join(this.#folder, `${name}.yaml`);
      writeFileSync(file, JSON.stringify({ from: "old", to: "new", tables }));
      await this.order("migration", "create", name, "--file", file, "--wait");
    });
    const created = Promise.all(creating);
    created.catch(() => undefined);
    // A migration that is refused ends the waiting.
    await Promise.race([this.#untilOneCopies(), created]);
    await meanwhile();
    await created;
  }

  /** Does the same with every migration, all at once. */
  async all(...command: readonly string[]): Promise<void> {
    await Promise.all(this.#migrations.map((migration) => this.order(...command, migration)));
  }

  /** Runs a command, which must succeed; refused and aborted are answers that a busy machine gives, and it is run again. */
  async order(...args: string[]): Promise<void> {
    let result = { exit: REFUSED, stdout: "", stderr: "" };
    for (let tries = 0; tries < TRIES_MAX && (result.exit === REFUSED || result.exit === ABORTED); tries += 1) {
      if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 1000));
      result = (await this.#serve?.run(...args)) ?? { ...result, exit: -1 };
    }
    const { exit, stdout, stderr } = result;
    if (exit === 0) return;
    const known = [...this.wrong].map(([name, what]) => `${name}: ${what.join("\n")}`);
    throw new Error([`${args.join(" ")} ended with ${exit}:`, stdout, stderr, ...known].join("\n"));
  }

  /** Waits until both servers say the same of every trap, or writes down where they do not. */
  async compare(when: string): Promise<void> {
    const until = Date.now() + SETTLED_MAX_MS;
    let open = this.#luggage.filter(({ trap }) => !this.wrong.has(trap.name));
    for (;;) {
      const differing: { readonly one: Luggage; readonly lines: readonly string[] }[] = [];
      await each(open, async (one) => {
        const lines = await this.#differences(one);
        if (lines.length > 0) differing.push({ one, lines });
      });
      open = differing.map(({ one }) => one);
      if (open.length === 0) return;
      if (Date.now() > until) {
        for (const { one, lines } of differing) this.#write(one.trap, when, lines.slice(0, 12).join("\n"));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** Ends Switchyard and takes its account away: what follows logs in with one that is made for it. */
  async arrive(): Promise<void> {
    await this.#serve?.stop();
    this.#serve = undefined;
    for (const server of [this.system.old, this.system.new]) {
      await server.root("DROP USER IF EXISTS switchyard@'127.0.0.1'");
    }
  }

  async end(): Promise<void> {
    await this.#serve?.stop();
    await this.system.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #differences({ trap, tables }: Luggage): Promise<string[]> {
    if (tables.length === 0) return ["it has no table"];
    try {
      const [was, is] = await Promise.all(
        [this.system.old, this.system.new].map((server) => dump(server, trap.name, tables)),
      );
      const only = (some: readonly string[] = [], others: readonly string[] = []): string[] => {
        const known = new Set(others);
        return some.filter((line) => !known.has(line));
      };
      return [...only(was, is).map((line) => `old ${line}`), ...only(is, was).map((line) => `new ${line}`)];
    } catch (error) {
      return [String(error)];
    }
  }

  async #untilOneCopies(): Promise<void> {
    for (let tries = 0; tries < 600; tries += 1) {
      const answer = await this.#serve?.get("/v1/migrations");
      const migrations = (answer?.["migrations"] ?? []) as readonly { readonly phase: string }[];
      if (migrations.some(({ phase }) => phase !== "created")) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no migration began to copy");
  }

  async #note(trap: Trap, when: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#write(trap, when, String(error));
    }
  }

  #write(trap: Trap, when: string, what: string): void {
    this.wrong.set(trap.name, [...(this.wrong.get(trap.name) ?? []), `${when}: ${what}`]);
  }
}

/** Runs the statements of a trap as an application in UTC would. */
async function run(server: TestServer, trap: Trap, first: string, ...parts: readonly string[]): Promise<void> {
  const sql = [first, `USE \`${trap.name}\``, "SET time_zone = '+00:00'"].join("; ");
  await server.root(`${sql};\n${parts.join("\n")}`);
}

/** Keeps the tables of one trap in one migration. */
function groupsOf(luggage: readonly Luggage[]): string[][] {
  const groups: string[][] = [];
  let group: string[] = [];
  for (const { tables } of luggage) {
    if (group.length + tables.length > TABLES_MAX) {
      groups.push(group);
      group = [];
    }
    group.push(...tables);
  }
  groups.push(group);
  return groups;
}

/** Some at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const session = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: SESSIONS }, session));
}
