import { SwitchyardError } from "../base/errors.ts";
import { parseTableKey, quoteText } from "../base/table-name.ts";
import { readServerUuid } from "../cutover/home-queries.ts";
import { migrationKey, parseMigration } from "../cutover/journal.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { type AdminConnection, openAdmin } from "../mysql/admin-connection.ts";
import type { Finding } from "../preflight/finding.ts";
import { refuseByFindings, runPreflight } from "../preflight/run-preflight.ts";
import { parseClaim, serializeClaim } from "../rules/claim-document.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import { homeOf, withTable } from "../rules/rules-edits.ts";
import { changeRulesTogether } from "../rules/rules-store.ts";
import { CLAIMS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, StoreWrite } from "../store/store.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";
import { type CreateRequest, parseCreateRequest } from "./migration-requests.ts";
import { requireReplica } from "./read-from.ts";
import { readingFrom } from "./run-tune.ts";

interface ServerUuids {
  readonly source: string;
  readonly target: string;
}

/** What the target lacks, and this migration will therefore create. */
interface Lacking {
  readonly tables: readonly string[];
  readonly schemas: readonly string[];
}

/**
 * Creates a migration: checks both servers, then in one store transaction writes its journal, claims its tables, and
 * enters them into the rules at their present home. Nothing is written to either server.
 *
 * An order whose migration exists already because an earlier leader made it is answered with that migration.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID`, `MIGRATION_EXISTS`, `MIGRATION_TABLE_CLAIMED`,
 *   `PREFLIGHT_REFUSED`, `MYSQL_REPLICA_UNFIT`
 */
export async function createMigration(
  context: ControllerContext,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<MigrationDocument> {
  const request = parseCreateRequest(order.migration, order.options);
  const existing = await context.store.get(migrationKey(request.id));
  if (existing !== undefined) {
    const document = parseMigration(existing);
    if (order.state === "running" && document.history[0]?.what === createdBy(order)) return document;
    throw new SwitchyardError("MIGRATION_EXISTS", {
      what: `there is a migration "${request.id}" already, in phase ${document.phase}`,
      changed: "Nothing was changed.",
      fix: "Choose another name.",
    });
  }
  const source = await openAdmin(endpointOf(context, request.source));
  try {
    const target = await openAdmin(endpointOf(context, request.target));
    try {
      const uuids = { source: await readServerUuid(source), target: await readServerUuid(target) };
      await refuseClaimed(context, request, uuids);
      if (request.readFrom !== undefined) await requireReplica(context, request.readFrom, request.source, request.id);
      step("check both servers");
      refuseByFindings(request.id, await look(context, request, source, target));
      const lacking = await findLacking(target, request.tables);
      const document = newDocument(context, order, request, uuids, lacking);
      await context.failpoint("create-before-claims");
      const created = await store(context, request, document, uuids);
      await context.failpoint("create-after-claims");
      return created;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function look(
  context: ControllerContext,
  request: CreateRequest,
  source: AdminConnection,
  target: AdminConnection,
): Promise<readonly Finding[]> {
  return runPreflight({
    source: { endpoint: endpointOf(context, request.source), connection: source },
    target: { endpoint: endpointOf(context, request.target), connection: target },
    tables: request.tables.map(parseTableKey),
    ...(request.mappings === undefined ? {} : { mappings: request.mappings }),
  });
}

async function store(
  context: ControllerContext,
  request: CreateRequest,
  document: MigrationDocument,
  uuids: ServerUuids,
): Promise<MigrationDocument> {
  const claims = claimKeys(request, uuids);
  const value = serializeClaim(request.id);
  let written: MigrationDocument = document;
  await changeRulesTogether(context.store, async (rules) => {
    requireHome(rules, request);
    await refuseClaimed(context, request, uuids);
    const rule = { to: request.source, migration: request.id };
    const next = request.tables.reduce((edited, table) => withTable(edited, table, rule), rules);
    written = { ...document, generation: next.generation, switchId: next.switchId };
    const conditions: readonly Compare[] = [
      ...context.leadership(),
      { key: migrationKey(request.id), revision: 0 },
      ...claims.map((key) => ({ key, revision: 0 })),
    ];
    const writes: readonly StoreWrite[] = [
      { put: migrationKey(request.id), value: JSON.stringify(written) },
      ...claims.map((key) => ({ put: key, value })),
    ];
    return { rules: next, conditions, writes };
  });
  return written;
}

function newDocument(
  context: ControllerContext,
  order: OrderDocument,
  request: CreateRequest,
  uuids: ServerUuids,
  lacking: Lacking,
): MigrationDocument {
  const at = context.clock.now().toISOString();
  const reason = order.reason === undefined ? {} : { reason: order.reason };
  const document: MigrationDocument = {
    format: 3,
    id: request.id,
    source: request.source,
    target: request.target,
    sourceUuid: uuids.source,
    targetUuid: uuids.target,
    tables: request.tables,
    ...(request.mappings === undefined ? {} : { mappings: request.mappings }),
    createdTables: lacking.tables,
    createdSchemas: lacking.schemas,
    phase: "created",
    onDdl: request.onDdl,
    streams: { forward: {}, reverse: {} },
    diffs: [],
    generation: 0,
    switchId: "",
    history: [{ at, who: order.who, what: createdBy(order), ...reason }],
  };
  return request.readFrom === undefined ? document : readingFrom(document, request.readFrom);
}

/** Names the order, so that a leader who takes it over knows its own migration. */
function createdBy(order: OrderDocument): string {
  return `created by order ${order.id}`;
}

/** A table is claimed on both servers: nobody else may move it, nor bring another one of its name there. */
function claimKeys(request: CreateRequest, uuids: ServerUuids): readonly string[] {
  return [uuids.source, uuids.target].flatMap((uuid) =>
    request.tables.map((table) => `${CLAIMS_PREFIX}${uuid}/${table}`),
  );
}

/** @throws {SwitchyardError} `MIGRATION_TABLE_CLAIMED` naming the migration that moves one of the tables. */
async function refuseClaimed(context: ControllerContext, request: CreateRequest, uuids: ServerUuids): Promise<void> {
  for (const key of claimKeys(request, uuids)) {
    const claim = await context.store.get(key);
    if (claim === undefined) continue;
    const { migration } = parseClaim(claim);
    const table = key.slice(key.lastIndexOf("/") + 1);
    throw new SwitchyardError("MIGRATION_TABLE_CLAIMED", {
      what: `${table} is being moved by migration "${migration}"`,
      changed: "Nothing was changed.",
      fix: `Complete or cancel "${migration}" first, or leave ${table} out.`,
    });
  }
}

function requireHome(rules: RulesDocument, request: CreateRequest): void {
  const elsewhere = request.tables.find((table) => homeOf(rules, table) !== request.source);
  if (elsewhere === undefined) return;
  throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what: `${elsewhere} is at home on "${homeOf(rules, elsewhere)}", not on "${request.source}"`,
    changed: "Nothing was changed.",
    fix: `Say --from ${homeOf(rules, elsewhere)}; \`switchyard rules show\` lists where tables live.`,
  });
}

async function findLacking(target: AdminConnection, tables: readonly string[]): Promise<Lacking> {
  const rows = await target.rows(
    `SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (${schemaList(tables)})`,
  );
  const present = new Set(rows.map((row) => row["name"]));
  const schemaRows = await target.rows(
    `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (${schemaList(tables)})`,
  );
  const schemas = new Set(schemaRows.map((row) => row["name"]));
  return {
    tables: tables.filter((table) => !present.has(table)),
    schemas: schemasOf(tables).filter((schema) => !schemas.has(schema)),
  };
}

function schemasOf(tables: readonly string[]): readonly string[] {
  return [...new Set(tables.map((table) => parseTableKey(table).schema))];
}

function schemaList(tables: readonly string[]): string {
  return schemasOf(tables).map(quoteText).join(", ");
}
