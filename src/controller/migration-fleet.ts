import { messageOf, SwitchyardError } from "../base/errors.ts";
import { parseMigration } from "../cutover/journal.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { upgradeDocuments } from "../rules/document-kinds.ts";
import { MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import type { ControllerContext } from "./controller-context.ts";
import { createMigration } from "./create-migration.ts";
import { ensureRules } from "./initial-rules.ts";
import { MigrationRunner } from "./migration-runner.ts";
import { orderDiff } from "./run-diff.ts";
import { orderCancel, orderComplete } from "./run-end.ts";
import { orderForget } from "./run-forget.ts";
import { orderPause, orderResume } from "./run-pause.ts";
import { orderSwitch } from "./run-switch.ts";

type Report = Readonly<Record<string, unknown>>;
type Step = (text: string) => void;

/** Every unfinished migration of a leading controller, and the orders that concern them. */
export class MigrationFleet {
  readonly #context: ControllerContext;
  readonly #runners = new Map<string, MigrationRunner>();
  readonly #starting = new Set<Promise<void>>();

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** Takes up every unfinished migration. One that cannot be taken up does not keep the others from it. */
  async start(): Promise<void> {
    await upgradeDocuments(this.#context.store);
    await ensureRules(this.#context);
    const { entries } = await this.#context.store.list(MIGRATIONS_PREFIX);
    for (const entry of entries) {
      try {
        const document = parseMigration(entry);
        if (!isFinished(document)) this.#take(document);
      } catch (error) {
        this.#context.log.error({ key: entry.key, error: messageOf(error) }, "a migration cannot be taken up");
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.close()));
    await Promise.all(this.#starting);
  }

  /** Carries out one order. @throws {SwitchyardError} whatever refuses it or makes it fail. */
  async handle(order: OrderDocument, step: Step): Promise<Report> {
    if (order.command === "migration-create") return await this.#create(order, step);
    if (order.command === "proxy-forget") return await orderForget(this.#context, [...this.#runners.values()], order);
    const runner = await this.#runner(order.migration);
    switch (order.command) {
      case "migration-pause":
        return await orderPause(runner, order);
      case "migration-resume":
        return await orderResume(runner, order);
      case "diff-start":
        return await orderDiff(runner, order, step);
      case "switch":
      case "rollback":
        return await orderSwitch(runner, order, step);
      case "migration-cancel":
        return await this.#end(runner, () => orderCancel(runner, order, step));
      case "migration-complete":
        return await this.#end(runner, () => orderComplete(runner, order, step));
    }
  }

  async #create(order: OrderDocument, step: Step): Promise<Report> {
    const document = await createMigration(this.#context, order, step);
    if (!this.#runners.has(document.id)) this.#take(document);
    return { migration: document.id, phase: document.phase, tables: document.tables };
  }

  #take(document: MigrationDocument): void {
    const runner = new MigrationRunner(this.#context, document);
    this.#runners.set(document.id, runner);
    const starting = runner.start().catch((error: unknown) => {
      runner.log.error({ error: messageOf(error) }, "the migration cannot go on");
    });
    this.#starting.add(starting);
    void starting.finally(() => this.#starting.delete(starting));
  }

  /** The runner of a migration, once what an earlier controller left is settled. */
  async #runner(id: string): Promise<MigrationRunner> {
    const running = this.#runners.get(id);
    if (running !== undefined) {
      await running.ready;
      return running;
    }
    const entry = await this.#context.store.get(MIGRATIONS_PREFIX + id);
    if (entry === undefined) {
      throw new SwitchyardError("MIGRATION_NOT_FOUND", {
        what: `there is no migration "${id}"`,
        fix: "`switchyard migration list` shows those that exist.",
      });
    }
    // A finished migration still answers: its phase refuses, or says that there is nothing to do.
    return new MigrationRunner(this.#context, parseMigration(entry));
  }

  async #end(runner: MigrationRunner, work: () => Promise<Report>): Promise<Report> {
    const report = await work();
    if (isFinished(runner.document)) {
      this.#runners.delete(runner.id);
      await runner.close();
    }
    return report;
  }
}

function isFinished(document: MigrationDocument): boolean {
  return document.phase === "completed" || document.phase === "cancelled";
}
