import { parseTableKey, quoteTable } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { movesAlong, parted } from "../moves-along.ts";
import type { Touched } from "../names-behind.ts";
import { DefinitionsOfServer } from "../read-behind.ts";
import { refusedLater, tooManyBehind } from "../refused-later.ts";
import type { ServerView } from "../server-view.ts";

const DEFINITIONS =
  "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) name, " +
  "CONCAT_WS('|', CHECK_OPTION, SECURITY_TYPE, VIEW_DEFINITION) body FROM information_schema.VIEWS " +
  "WHERE TABLE_SCHEMA NOT IN ('sys', 'mysql', 'information_schema', 'performance_schema')";

/** A view reads its tables on its own server: one that stays behind would read the old home. */
export const viewsCheck: Check = {
  id: "views",
  title: "every view on the tables can move along with them",
  severities: ["error", "warning"],
  remedy:
    "Move all tables of the view, and create it on the target before the switch, as `check --print-objects` says; or drop it, or leave the table out.",
  async run(context) {
    const { source, target } = context;
    const definitions = await DefinitionsOfServer.of(source);
    const using = definitions.views.filter((view) => parted(view, context).moving.length > 0);
    const findings = [
      ...refusedViews(source, definitions, using),
      ...(await tooManyBehind(context, "views", ["views"])),
    ];
    if (using.length === 0 && findings.length > 0) return findings;
    if (using.length === 0) {
      const observed = `none of ${definitions.views.length} views that can be seen`;
      return [judge("views", true, { subject: source.subject, observed, expected: "none", fix: "" })];
    }
    const missing = context.targetTables === "present" ? "error" : "warning";
    const [here, there] = [await bodies(source), await bodies(target)];
    for (const view of using) {
      const body = there.get(view.spelled);
      const name = parseTableKey(view.spelled);
      const show = `SHOW CREATE VIEW ${quoteTable(name)}`;
      const same = body === undefined ? undefined : body === here.get(view.spelled);
      findings.push(
        movesAlong({ id: "views", name: `view ${view.spelled}`, touched: view, same, missing, show }, context),
      );
    }
    return findings;
  },
};

function refusedViews(source: ServerView, definitions: DefinitionsOfServer, using: readonly Touched[]): Finding[] {
  const used = new Set(using.map(({ spelled }) => spelled));
  const unknown = definitions.views.filter((view) => view.unknown !== undefined && !used.has(view.spelled));
  if (unknown.length === 0) return [];
  const names = unknown.slice(0, 5).map(({ spelled, unknown: why }) => `${spelled} (${why})`);
  const fix =
    "GRANT SHOW VIEW, SELECT on their schemas and SHOW_ROUTINE, SHOW DATABASES ON *.* TO …; so that they can be read; " +
    "or make sure that nobody uses them through the proxy.";
  const observed = `${unknown.length} views may use any table: ${names.join(", ")}`;
  return [refusedLater("views", source, { observed, fix }, "warning")];
}

async function bodies(server: ServerView): Promise<ReadonlyMap<string, string>> {
  const rows = await server.rows(DEFINITIONS);
  return new Map(rows.map(({ name, body }) => [name ?? "", body ?? ""]));
}
