import { type Command, Option } from "commander";
import { SwitchyardError } from "../base/errors.ts";
import { ON_DDL } from "../rules/on-ddl.ts";
import type { CliContext } from "./cli-context.ts";
import { group, namesIn, openSession, type Session, withServer } from "./command-tools.ts";
import { describeHistory, type History } from "./history-view.ts";
import {
  describeMigration,
  describeMigrations,
  isOpen,
  type ListedMigration,
  migrationProgress,
  type ShownMigration,
  type ShownStatus,
} from "./migration-view.ts";
import { readRequestFile } from "./request-file.ts";
import { addTune } from "./tune-command.ts";

const WATCH_MS = 500;

interface OneMigration {
  readonly migration: ShownMigration;
  readonly controller?: string;
  readonly status?: ShownStatus;
}

/** `switchyard migration …` */
export function migrationCommands(context: CliContext): Command {
  const migration = group("migration", "create, look at, pause, resume, cancel and complete migrations");
  addCreate(context, migration);
  addLooking(context, migration);
  addOrders(context, migration);
  return migration;
}

interface CreateOptions {
  readonly from?: string;
  readonly to?: string;
  readonly tables?: string;
  readonly file?: string;
  readonly readFrom?: string;
  readonly onDdl?: string;
  readonly reason?: string;
  readonly wait?: boolean;
}

function addCreate(context: CliContext, parent: Command): void {
  withServer(parent.command("create"))
    .description("check both servers, then begin to copy and follow the tables")
    .argument("<id>", "name of the migration: a lower-case letter, then letters, digits or -")
    .option("--from <backend>", "the tables' present home, a name of `backends:`")
    .option("--to <backend>", "where they shall live")
    .option("--tables <list>", "schema.table, separated by commas")
    .option("-f, --file <file>", "take from, to, tables, readFrom, mapping and onDdl from a YAML file")
    .option(
      "--read-from <backend>",
      "read rows from this replica of the source; the binary log still comes from the source",
    )
    .addOption(
      new Option(
        "--on-ddl <what>",
        "what becomes of DDL on the tables: the stream stops, the target gets it too, or it is passed over (default: stop)",
      ).choices(ON_DDL),
    )
    .option("--reason <text>", "kept in the history")
    .option("--wait", "wait until everything is copied and the stream has caught up")
    .action(async (id: string, options: CreateOptions, command: Command) => {
      const session = openSession(context, command);
      const body = await createBody(id, options);
      const placed = await session.client.order("/v1/migrations", body);
      const result = await session.follow(placed);
      if (options.wait !== true) {
        session.print({ format: 1, ...result }, `Migration ${id} is created; it copies now.`);
        return;
      }
      await watchUntil(session, id, ({ phase }) => phase === "running");
      if (context.signal.aborted) throw interrupted(id);
      const now = await readMigration(session, id);
      session.print({ format: 1, ...now }, `Migration ${id} is running: everything is copied and followed.`);
    });
}

async function createBody(id: string, options: CreateOptions): Promise<Record<string, unknown>> {
  const file = options.file === undefined ? {} : await readRequestFile(options.file);
  const tables = options.tables === undefined ? undefined : namesIn(options.tables);
  const { from, to, readFrom, onDdl, reason } = options;
  const given = Object.entries({ from, to, tables, readFrom, onDdl, reason }).filter(
    ([, value]) => value !== undefined,
  );
  const body: Record<string, unknown> = { ...file, ...Object.fromEntries(given), id };
  const missing = ["from", "to", "tables"].filter((name) => body[name] === undefined);
  if (missing.length === 0) return body;
  throw new SwitchyardError("CLI_USAGE", {
    what: `migration create lacks ${missing.map((name) => `--${name}`).join(", ")}`,
    fix: "Example: switchyard migration create orders --from old --to new --tables shop.orders,shop.items",
  });
}

function addLooking(context: CliContext, parent: Command): void {
  withServer(parent.command("list"))
    .description("every migration with its phase and lag")
    .action(async (_: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ migrations: ListedMigration[] }>("/v1/migrations");
      session.print(answer, describeMigrations(answer.migrations));
    });
  withServer(parent.command("status"))
    .description("where a migration stands")
    .argument("<id>", "name of the migration")
    .option("--watch", "show progress until the migration has ended; Ctrl-C ends the watching only")
    .action(async (id: string, options: { watch?: boolean }, command: Command) => {
      const session = openSession(context, command);
      if (options.watch === true) await watchUntil(session, id, (migration) => !isOpen(migration));
      if (context.signal.aborted) return;
      const answer = await readMigration(session, id);
      session.print(answer, describeMigration(answer.migration, answer.status, answer.controller));
    });
  withServer(parent.command("history"))
    .description("what was ordered by whom, what was done and what happened, oldest first")
    .argument("<id>", "name of the migration")
    .action(async (id: string, _: object, command: Command) => {
      const session = openSession(context, command);
      const path = `/v1/migrations/${encodeURIComponent(id)}/history`;
      const answer = await session.client.get<History>(path);
      session.print(answer, describeHistory(answer));
    });
}

function addOrders(context: CliContext, parent: Command): void {
  addOrder(context, parent, "pause", "stop a migration's stream; changes wait in the server's binary log");
  addOrder(context, parent, "resume", "let a paused or stopped stream go on").option(
    "--after-ddl <gtid>",
    "pass over the DDL that it has stopped before: the tables that it writes to are level with it",
  );
  addTune(context, parent);
  addOrder(context, parent, "repoint", "put a replica that has taken over in the place of one of the two servers")
    .option("--source <backend>", "the name of `backends:` that is the source from now on")
    .option(
      "--target <backend>",
      "the same for the target; a name as before says that its address leads elsewhere now",
    );
  addOrder(
    context,
    parent,
    "cancel",
    "give a migration up before its switch, and drop what it created on the target",
  ).option("--keep-data", "keep the tables that it created on the target");
  addOrder(context, parent, "complete", "after a switch: give up the way back, stop the reverse stream")
    .addOption(
      new Option("--old-tables <what>", "what becomes of the tables on the old home")
        .choices(["keep", "rename", "drop"])
        .default("keep"),
    )
    .option("--force", "though the stream back is not healthy, as when the old home is lost; needs --reason");
}

function addOrder(context: CliContext, parent: Command, action: string, description: string): Command {
  return withServer(parent.command(action))
    .description(description)
    .argument("<id>", "name of the migration")
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, options: Record<string, unknown>, command: Command) => {
      const session = openSession(context, command);
      const { reason, keepData, oldTables, force, source, target, afterDdl } = options;
      const given = Object.entries({ reason, keepData, oldTables, force, source, target, afterDdl }).filter(
        ([, value]) => value !== undefined,
      );
      const path = `/v1/migrations/${encodeURIComponent(id)}/${action}`;
      const result = await session.follow(await session.client.order(path, Object.fromEntries(given)));
      session.print({ format: 1, ...result }, `${action} of migration ${id}: done${describeResult(result)}`);
    });
}

/** What an order reports beyond being done: lists as lines. */
function describeResult(result: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(result)
    .filter(([, value]) => Array.isArray(value) && value.length > 0)
    .map(([name, value]) => `\n  ${name}: ${(value as unknown[]).map(String).join(", ")}`);
  return lines.length === 0 ? "." : `.${lines.join("")}`;
}

function readMigration({ client }: Session, id: string): Promise<OneMigration> {
  return client.get<OneMigration>(`/v1/migrations/${encodeURIComponent(id)}`);
}

/**
 * Shows progress until `enough` holds, or until Ctrl-C.
 *
 * @throws {SwitchyardError} `MIGRATION_STOPPED` where it cannot come to that by itself any more.
 */
async function watchUntil(session: Session, id: string, enough: (migration: ShownMigration) => boolean): Promise<void> {
  const { view, context } = session;
  try {
    for (;;) {
      const { migration, status } = await readMigration(session, id);
      if (enough(migration)) return;
      view.show(migrationProgress(migration, status));
      const stopped = stoppedBy(migration);
      if (stopped !== undefined) throw stopped;
      await context.clock.sleep(WATCH_MS, context.signal);
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  } finally {
    view.clear();
  }
}

function interrupted(id: string): SwitchyardError {
  return new SwitchyardError("CANCELLED", {
    what: `the command was interrupted; migration "${id}" is created and goes on without it`,
    fix: `\`switchyard migration status ${id} --watch\` shows how far it is.`,
  });
}

function stoppedBy(migration: ShownMigration): SwitchyardError | undefined {
  const error = migration.streams.forward.error ?? migration.streams.reverse.error;
  if (error === undefined && isOpen(migration)) return undefined;
  return new SwitchyardError("MIGRATION_STOPPED", {
    what: `migration "${migration.id}" does not go on by itself: ${error ?? `it is ${migration.phase}`}`,
    fix: `Mend the cause, then \`switchyard migration resume ${migration.id}\`.`,
  });
}
