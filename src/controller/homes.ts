import type { MigrationDocument } from "../cutover/migration-document.ts";
import { MysqlHome } from "../cutover/mysql-home.ts";
import type { Home } from "../cutover/ports.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/** One end of a migration, as its switch sees it. */
export function openHome(context: ControllerContext, document: MigrationDocument, backend: string): Home {
  return new MysqlHome({
    endpoint: endpointOf(context, backend),
    migration: document.id,
    tables: document.tables,
    clock: context.clock,
    log: context.log,
    limits: { ...context.limits },
  });
}
