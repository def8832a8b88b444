import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStream, until, untilRunning } from "../integration/replication/stream-bench.ts";
import { runCheck } from "../support/run-check.ts";
import { readTraps, type Trap } from "./trap-folders.ts";
import { TrapJourney } from "./trap-journey.ts";
import { tablesIn } from "./trap-oracle.ts";

/*
 * 1. The tables of every trap that travels are made and filled on the old home, and copied in one go, while the changes
 *    of every trap run there.
 * 2. All change once more, are compared, and are switched; they change on the new home, and are compared.
 * 3. They are rolled back, change on the old home, and are compared for the last time.
 * Whatever differs, is refused or stops is told for the trap that it belongs to.
 */

const only = process.env["TRAPS"]?.split(",");
const traps = readTraps().filter(({ name }) => only?.includes(name) ?? true);
const of = (kind: Trap["kind"]): Trap[] => traps.filter((trap) => trap.kind === kind);
const names = (some: readonly Trap[]): string[] => some.map(({ name }) => name);

let journey: TrapJourney;

beforeAll(async () => {
  journey = await TrapJourney.begin(traps);
});
afterAll(() => journey?.end());

describe("a trap that travels", () => {
  const travelling = of("travels");
  beforeAll(async () => {
    const { system } = journey;
    await journey.pack(travelling);
    await journey.copy(() => journey.change(system.old));
    await journey.change(system.old);
    await journey.compare("before the switch");
    await journey.takeAlong();
    await journey.all("diff", "start");
    await journey.all("switch");
    await journey.change(system.new);
    await journey.compare("on the new home");
    await journey.all("rollback");
    await journey.change(system.old);
    await journey.compare("after the rollback");
  }, 240_000);

  test.each(names(travelling))("%s", (name) => {
    expect(journey.wrong.get(name)?.join("\n\n") ?? "").toBe("");
  });
});

describe("a trap that is refused before anything is copied", () => {
  const refused = of("is refused");
  let output = "";
  beforeAll(async () => {
    await journey.arrive();
    const { old: source, new: target } = journey.system;
    const tables: string[] = [];
    for (const trap of refused) {
      await source.root(`CREATE DATABASE \`${trap.name}\`; USE \`${trap.name}\`; ${trap.schema}\n${trap.load}`);
      tables.push(...(await tablesIn(source, trap.name)).filter((table) => !table.endsWith(".outside")));
    }
    if (tables.length > 0) output = (await runCheck(source, target, tables.join(","))).stdout;
  }, 120_000);

  test.each(names(refused))("%s", (name) => {
    const trap = refused.find((one) => one.name === name);
    const [check = "", text = ""] = trap?.expected.split("\n") ?? [];
    const lines = output.split("\n").filter((line) => line.startsWith("ERROR") && line.includes(` ${check} `));
    expect(
      lines.filter((line) => line.includes(name) && line.includes(text)),
      output,
    ).not.toEqual([]);
  });
});

describe("a trap that stops the stream before it, and is named", () => {
  beforeAll(() => journey.arrive());

  test.concurrent.each(of("stops the stream"))("$name", async (trap) => {
    const { old: source, new: target } = journey.system;
    await source.root(`CREATE DATABASE \`${trap.name}\`; USE \`${trap.name}\`; ${trap.schema}\n${trap.load}`);
    const tables = (await tablesIn(source, trap.name)).filter((table) => !table.endsWith(".outside"));
    const opened = await openStream({ source, target }, tables, { migration: trap.name });
    try {
      await untilRunning(opened);
      await source.root(`USE \`${trap.name}\`; ${trap.changes}`);
      const ended = await Promise.race([opened.ended, until("the end", opened, () => false, 20_000)]);
      expect(String(ended)).toContain(trap.expected.split("\n")[0]);
    } finally {
      await opened.stream.close();
    }
  });
});
