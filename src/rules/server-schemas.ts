/** Schemas whose tables show the server itself: they are on every backend and choose none. `mysql` holds rows of one server. */
const SERVER_SCHEMAS: ReadonlySet<string> = new Set(["information_schema", "performance_schema", "sys"]);

/** Whether a schema shows the server itself, in whatever case it is written. */
export function isServerSchema(schema: string): boolean {
  return SERVER_SCHEMAS.has(schema.toLowerCase());
}

/** Whether a table, by its key `schema.table`, is one of such a schema. */
export function isServerTable(key: string): boolean {
  return isServerSchema(key.slice(0, Math.max(0, key.indexOf("."))));
}
