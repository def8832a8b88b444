import { describe, expect, test, vi } from "vitest";
import type { CliContext } from "../../../src/cli/cli-context.ts";
import { controller, putMigration, putStatus, run, STREAM } from "./cli-stage.ts";

describe("waiting for a migration to run", () => {
  test("shows a bar with rate and time left on a terminal, and plain lines elsewhere", async () => {
    const copied = (rowsCopied: number) => putStatus({ stream: { ...STREAM, state: "copying", rowsCopied } });
    const taken = await controller(() => {
      void putMigration({ phase: "copying" });
      void copied(100_000);
      return { state: "done", result: {} };
    });
    const create = "migration create orders --from old --to new --tables shop.orders --wait";
    // Each of them goes on once it is shown.
    const onTerminal = await run(create, {
      terminal: { columns: 200 },
      err: (text) => {
        if (text.includes(" 100,000 of")) void copied(200_000);
        if (text.includes("/s ")) void putMigration();
      },
    });
    expect(onTerminal.exit).toBe(0);
    expect(onTerminal.err).toMatch(
      /\r.\[Kcopying {5} {2}\[█+─+\] {2}41 % {2}200,000 of 480,000 rows {2}[\d,]+\/s {2}[\d.]+ m?s left/,
    );
    const plain = await run(create, { err: () => void putMigration() });
    expect(plain.err).toMatch(/^copying +\[█+─+\] +\d+ % +\d00,000 of 480,000 rows/);
    expect(plain.err).not.toContain("\r");
    expect(plain.out).toContain("is running");
    const told = run(`${create} --json`);
    await vi.waitUntil(() => taken.length === 3, 10_000);
    await putMigration();
    expect((await told).json).toMatchObject({ migration: { phase: "running" } });
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
