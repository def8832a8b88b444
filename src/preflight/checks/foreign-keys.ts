import { quoteText, tableKey } from "../../base/table-name.ts";
import type { Check, CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/** Since this release the server itself runs cascades, and logs the rows that they change. */
const LOGS_CASCADES = 90_600;

interface ForeignKey {
  readonly name: string;
  readonly child: string;
  readonly parent: string;
  readonly actions: readonly string[];
}

/** Tables that a foreign key joins move together, and what a cascade changes must be in the binary log. */
export const foreignKeysCheck: Check = {
  id: "foreign-keys",
  title: "no foreign key leads into or out of the set of tables",
  severities: ["error"],
  remedy: "Move the other table too, drop the foreign key, or replace a cascade by statements of the application.",
  async run(context) {
    const { source } = context;
    const moving = new Set(context.tables.map(tableKey));
    const keys = await foreignKeys(source, moving);
    const findings: Finding[] = keys
      .filter((key) => moving.has(key.child) !== moving.has(key.parent))
      .map((key) =>
        judge("foreign-keys", false, {
          subject: moving.has(key.child) ? key.child : key.parent,
          observed: `${key.name}: ${key.child} references ${key.parent}`,
          expected: "both tables of a foreign key in the migration, or neither",
          fix: `Add ${moving.has(key.child) ? key.parent : key.child} to the tables, or drop the foreign key.`,
        }),
      );
    findings.push(...(await cascades(context, keys, moving)));
    if (findings.length > 0) return findings;
    return [
      judge("foreign-keys", true, {
        subject: source.subject,
        observed: `${keys.length} foreign keys within the tables, none across`,
        expected: "none across",
        fix: "",
      }),
    ];
  },
};

async function cascades(
  { source }: CheckContext,
  keys: readonly ForeignKey[],
  moving: ReadonlySet<string>,
): Promise<Finding[]> {
  const native = await source.variable("innodb_native_foreign_keys");
  if (source.version >= LOGS_CASCADES && native !== "ON") return [];
  return keys
    .filter((key) => moving.has(key.child) && moving.has(key.parent) && key.actions.length > 0)
    .map((key) =>
      judge("foreign-keys", false, {
        subject: key.child,
        observed: `${key.name} has ${key.actions.join(" and ")}, whose changes ${source.connection.serverVersion} does not log`,
        expected: "no cascades on a source older than 9.6 or with innodb_native_foreign_keys=ON",
        fix: "Replace the cascade by statements of the application, or leave the tables out.",
      }),
    );
}

/**
 * All foreign keys that have one of the tables at either end, of every schema: the engine's own list, which hides
 * none from an account with PROCESS.
 */
async function foreignKeys(server: ServerView, moving: ReadonlySet<string>): Promise<ForeignKey[]> {
  const names = [...moving].map((key) => quoteText(key.replace(".", "/"))).join(", ");
  const rows = await server.rows(
    "SELECT ID id, FOR_NAME child, REF_NAME parent, TYPE type FROM information_schema.INNODB_FOREIGN " +
      `WHERE FOR_NAME IN (${names}) OR REF_NAME IN (${names})`,
  );
  return rows.map((row) => ({
    name: nameOf(row["id"]),
    child: keyOf(row["child"]),
    parent: keyOf(row["parent"]),
    actions: actionsOf(Number(row["type"] ?? "0")),
  }));
}

function nameOf(id: string | null | undefined): string {
  return id?.split("/")[1] ?? "";
}

function keyOf(name: string | null | undefined): string {
  return (name ?? "").replace("/", ".");
}

/** Bits of INNODB_FOREIGN.TYPE that change rows of the child. */
function actionsOf(type: number): string[] {
  const bits: readonly (readonly [number, string])[] = [
    [1, "ON DELETE CASCADE"],
    [2, "ON DELETE SET NULL"],
    [4, "ON UPDATE CASCADE"],
    [8, "ON UPDATE SET NULL"],
  ];
  return bits.filter(([bit]) => (type & bit) !== 0).map(([, action]) => action);
}
