import { SwitchyardError } from "../base/errors.ts";
import { parseTableKey, tableKey } from "../base/table-name.ts";
import { ON_DDL, type OnDdl } from "../rules/on-ddl.ts";
import { parseMappings, type TableMappings } from "../table/table-mapping.ts";

/** The most tables that one migration moves: each is claimed on both servers, and a store transaction has 128 writes. */
const TABLES_MAX = 60;

/** What `migration create` asks for. */
export interface CreateRequest {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** Keys `schema.table`, sorted, each once. */
  readonly tables: readonly string[];
  /** The replica of the source that rows are to be read from. */
  readonly readFrom?: string;
  /** In what the target's tables differ from the source's. */
  readonly mappings?: TableMappings;
  readonly onDdl: OnDdl;
}

/**
 * Reads the options of a create order.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID`, `TABLE_NAME_INVALID`
 */
export function parseCreateRequest(id: string, options: Readonly<Record<string, unknown>>): CreateRequest {
  const source = options["from"];
  const target = options["to"];
  const tables = options["tables"];
  if (typeof source !== "string" || typeof target !== "string") throw invalid("--from and --to must name backends");
  if (source === target) throw invalid(`--from and --to are both "${source}"`);
  if (!Array.isArray(tables) || tables.length === 0) throw invalid("--tables names no table");
  if (tables.length > TABLES_MAX) throw invalid(`--tables names ${tables.length} tables; ${TABLES_MAX} are allowed`);
  const keys = tables.map((name) => tableKey(parseTableKey(String(name))));
  const unique = [...new Set(keys)].sort();
  const forbidden = unique.find((key) =>
    /^(?:mysql|sys|information_schema|performance_schema|_switchyard)\./i.test(key),
  );
  if (forbidden !== undefined) throw invalid(`${forbidden} belongs to the server or to Switchyard and cannot be moved`);
  const { readFrom, mapping } = options;
  const onDdl = ON_DDL.find((one) => one === options["onDdl"]) ?? "stop";
  return {
    id,
    source,
    target,
    tables: unique,
    onDdl,
    ...(typeof readFrom === "string" ? { readFrom } : {}),
    ...(mapping === undefined ? {} : { mappings: parseMappings(mapping, unique) }),
  };
}

function invalid(what: string): SwitchyardError {
  return new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what,
    changed: "Nothing was changed.",
    fix: "See `switchyard migration create --help`.",
  });
}
