import { SwitchyardError } from "../base/errors.ts";
import type { TableName } from "../base/table-name.ts";
import { tableKey } from "../base/table-name.ts";

/**
 * In what the columns of a target table differ from those of its source, as an operator has said; everything that is not
 * said here must be alike. Names are those of the source, but for what is added.
 */
export interface TableMapping {
  /** The column's name on the source, and its name on the target. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Columns that only the target has. */
  readonly add?: readonly string[];
  /** Columns that only the source has. */
  readonly drop?: readonly string[];
  /** Columns whose type on the target takes every value of the source's, and more. */
  readonly widen?: readonly string[];
  /** That a value of a wider column may not fit on the way back, and stops it, is accepted. */
  readonly allowNarrowing?: boolean;
}

/** By `schema.table`; a table that is not here has the same columns on both sides. */
export type TableMappings = Readonly<Record<string, TableMapping>>;

/** The mapping of a table, if it has one. */
export function mappingOf(mappings: TableMappings | undefined, name: TableName): TableMapping | undefined {
  return mappings === undefined ? undefined : Object.entries(mappings).find(([key]) => key === tableKey(name))?.[1];
}

const LISTS = ["add", "drop", "widen"] as const;
const KNOWN: ReadonlySet<string> = new Set(["rename", "allowNarrowing", ...LISTS]);
const COLUMNS_MAX = 4096;

/**
 * Reads what somebody has written as the mappings of `tables`.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID`
 */
export function parseMappings(value: unknown, tables: readonly string[]): TableMappings {
  const mappings: Record<string, TableMapping> = {};
  for (const [table, mapping] of fields(value, "mapping")) {
    if (!tables.includes(table)) throw invalid(`mapping names ${table}, which is not among the tables`);
    mappings[table] = parseMapping(mapping, `mapping.${table}`);
  }
  return mappings;
}

function parseMapping(value: unknown, at: string): TableMapping {
  const given = new Map(fields(value, at));
  const unknown = [...given.keys()].find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw invalid(`${at}.${unknown} is not one of ${[...KNOWN].join(", ")}`);
  const renames = fields(given.get("rename") ?? {}, `${at}.rename`).map(
    ([from, to]) => [from, column(to, `${at}.rename.${from}`)] as const,
  );
  const lists = LISTS.flatMap((name) => {
    const names = given.get(name) ?? [];
    if (!Array.isArray(names)) throw invalid(`${at}.${name} is no list of columns`);
    return names.length === 0 ? [] : [[name, names.map((one) => column(one, `${at}.${name}`))] as const];
  });
  const allow = given.get("allowNarrowing") ?? false;
  if (typeof allow !== "boolean") throw invalid(`${at}.allowNarrowing is neither true nor false`);
  return {
    ...(renames.length === 0 ? {} : { rename: Object.fromEntries(renames) }),
    ...Object.fromEntries(lists),
    ...(allow ? { allowNarrowing: true } : {}),
  };
}

function fields(value: unknown, at: string): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${at} is no object`);
  const entries = Object.entries(value);
  if (entries.length > COLUMNS_MAX) throw invalid(`${at} has more than ${COLUMNS_MAX} entries`);
  return entries;
}

function column(value: unknown, at: string): string {
  if (typeof value === "string" && value !== "" && value.length <= 64) return value;
  throw invalid(`${at} names no column`);
}

function invalid(what: string): SwitchyardError {
  return new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what,
    changed: "Nothing was changed.",
    fix: "Write it like mapping: { shop.orders: { rename: { old: new }, add: [note], drop: [legacy], widen: [id] } }.",
  });
}

/** `rename a → b; drop c`, for people. */
export function describeMapping(mapping: TableMapping): string {
  const renames = Object.entries(mapping.rename ?? {}).map(([from, to]) => `${from} → ${to}`);
  const parts = [["rename", renames] as const, ...LISTS.map((name) => [name, mapping[name] ?? []] as const)];
  const said = parts.filter(([, names]) => names.length > 0).map(([what, names]) => `${what} ${names.join(", ")}`);
  return [...said, ...(mapping.allowNarrowing === true ? ["narrowing allowed on the way back"] : [])].join("; ");
}
