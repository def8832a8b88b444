import { SwitchyardError } from "../base/errors.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { orderDiffStop } from "./comparing.ts";
import type { ControllerContext } from "./controller-context.ts";
import { createMigration } from "./create-migration.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { orderDiff } from "./run-diff.ts";
import { orderCancel, orderComplete } from "./run-end.ts";
import { orderForget } from "./run-forget.ts";
import { orderPause, orderResume } from "./run-pause.ts";
import { orderRepair } from "./run-repair.ts";
import { orderRepoint } from "./run-repoint.ts";
import { orderSwitch } from "./run-switch.ts";
import { orderTune } from "./run-tune.ts";

type Report = Readonly<Record<string, unknown>>;
type Step = (text: string) => void;

/** An order that concerns no single migration that is there already; for the controller that leads. */
export async function carryOutForAll(context: ControllerContext, order: OrderDocument, step: Step): Promise<Report> {
  if (order.command === "proxy-forget") return await orderForget(context, order);
  const document = await createMigration(context, order, step);
  return { migration: document.id, phase: document.phase, tables: document.tables };
}

/**
 * An order about one migration; for the controller that runs it.
 *
 * @throws {SwitchyardError} whatever refuses it or makes it fail
 */
export async function carryOut(runner: MigrationRunner, order: OrderDocument, step: Step): Promise<Report> {
  switch (order.command) {
    case "migration-pause":
      return await orderPause(runner, order);
    case "migration-resume":
      return await orderResume(runner, order);
    case "migration-tune":
      return await orderTune(runner, order);
    case "migration-repoint":
      return await orderRepoint(runner, order, step);
    case "diff-start":
      return await orderDiff(runner, order, step);
    case "diff-stop":
      return await orderDiffStop(runner, order);
    case "diff-repair":
      return await orderRepair(runner, order, step);
    case "switch":
    case "rollback":
      return await orderSwitch(runner, order, step);
    case "migration-cancel":
      return await orderCancel(runner, order, step);
    case "migration-complete":
      return await orderComplete(runner, order, step);
    case "migration-create":
    case "proxy-forget":
      throw new SwitchyardError("INTERNAL_INVARIANT", { what: `${order.command} is not about one migration` });
    default:
      throw unknownCommand(order.command);
  }
}

/** A proxy of a newer version has written the order, while this controller is still to be restarted. */
function unknownCommand(command: never): SwitchyardError {
  return new SwitchyardError("STORE_FORMAT_NEWER", {
    what: `this controller does not know the order "${String(command)}"; a newer version has written it`,
    changed: "Nothing was changed.",
    fix: "Restart all controllers with the newer version, and run the command again.",
  });
}

export function migrationNotFound(id: string): SwitchyardError {
  return new SwitchyardError("MIGRATION_NOT_FOUND", {
    what: `there is no migration "${id}"`,
    fix: "`switchyard migration list` shows those that exist.",
  });
}
