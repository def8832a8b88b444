import { describe, expect, test } from "vitest";
import type { CliContext } from "../../../src/cli/cli-context.ts";
import { controller, putMigration, putStatus, run, STREAM } from "./cli-stage.ts";

describe("waiting for a migration to run", () => {
  test("shows a bar with rate and time left on a terminal, and plain lines elsewhere", async () => {
    await controller(() => {
      void putMigration({ phase: "copying" });
      void putStatus({ stream: { ...STREAM, state: "copying", rowsCopied: 100_000 } });
      setTimeout(() => void putStatus({ stream: { ...STREAM, state: "copying", rowsCopied: 200_000 } }), 300);
      setTimeout(() => void putMigration(), 1300);
      return { state: "done", result: {} };
    });
    const create = "migration create orders --from old --to new --tables shop.orders --wait";
    const onTerminal = await run(create, { terminal: { columns: 200 } });
    expect(onTerminal.exit).toBe(0);
    expect(onTerminal.err).toMatch(
      /\r.\[Kcopying {5} {2}\[█+─+\] {2}41 % {2}200,000 of 480,000 rows {2}[\d,]+\/s {2}[\d.]+ m?s left/,
    );
    const plain = await run(create);
    expect(plain.err).toMatch(/^copying +\[█+─+\] +\d+ % +\d00,000 of 480,000 rows/);
    expect(plain.err).not.toContain("\r");
    expect(plain.out).toContain("is running");
    expect(JSON.parse((await run(`${create} --json`)).out)).toMatchObject({ migration: { phase: "running" } });
  });

  test("can be interrupted: watching ends quietly, waiting says that the migration goes on", async () => {
    await putMigration({ phase: "copying" });
    await controller(() => ({ state: "done", result: {} }));
    const soon = (): Partial<CliContext> => ({ signal: AbortSignal.timeout(300) });
    expect(await run("migration status orders --watch", soon())).toMatchObject({ exit: 0, out: "" });
    const { exit, err } = await run("migration create orders --from old --to new --tables shop.orders --wait", soon());
    expect(exit).toBe(1);
    expect(err).toContain("goes on without it");
  });

  test("ends with 1 and the reason when its stream has stopped for a person", async () => {
    await controller(() => {
      void putMigration({ phase: "copying", streams: { forward: { error: "X: type not supported" }, reverse: {} } });
      return { state: "done", result: {} };
    });
    const { exit, err } = await run("migration create orders --from old --to new --tables shop.orders --wait");
    expect(exit).toBe(1);
    expect(err).toMatch(/MIGRATION_STOPPED[\s\S]*type not supported[\s\S]*migration resume orders/);
  });
});
