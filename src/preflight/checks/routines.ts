import { parseTableKey, quoteTable } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { movesAlong, parted } from "../moves-along.ts";
import { DefinitionsOfServer } from "../read-behind.ts";
import { refusedLater, tooManyBehind } from "../refused-later.ts";
import type { ServerView } from "../server-view.ts";

const DEFINITIONS =
  "SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) name, ROUTINE_TYPE kind, " +
  "CONCAT_WS('|', ROUTINE_TYPE, SECURITY_TYPE, SQL_MODE, ROUTINE_DEFINITION) body " +
  "FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql') ORDER BY ROUTINE_TYPE";

/** A routine runs on one server. One that stays behind would go on using the tables at the old home. */
export const routinesCheck: Check = {
  id: "routines",
  title: "every stored routine that uses the tables can move along with them",
  severities: ["error", "warning"],
  remedy:
    "Move all tables of the routine, and create it on the target before the switch, as `check --print-objects` says; or drop it, or leave the table out.",
  async run(context) {
    const { source, target } = context;
    const definitions = await DefinitionsOfServer.of(source);
    const all = definitions.routines;
    const using = all.filter((routine) => parted(routine, context).moving.length > 0);
    const findings: Finding[] = [];
    if (using.length > 0) {
      const missing = context.targetTables === "present" ? "error" : "warning";
      const [here, there] = [await bodies(source), await bodies(target)];
      for (const routine of using) {
        const { text, kind } = here.get(routine.spelled) ?? { text: "", kind: "routine" };
        const body = there.get(routine.spelled)?.text;
        const same = body === undefined ? undefined : body === text;
        const show = `SHOW CREATE ${kind.toUpperCase()} ${quoteTable(parseTableKey(routine.spelled))}`;
        const name = `${kind} ${routine.spelled}`;
        findings.push(movesAlong({ id: "routines", name, touched: routine, same, missing, show }, context));
      }
    }
    const others = all.filter((routine) => !using.includes(routine));
    const unknown = definitions.seesRoutines ? others.filter((one) => one.unknown !== undefined).length : others.length;
    if (unknown > 0) findings.push(refused(source, unknown, definitions.seesRoutines));
    findings.push(...(await tooManyBehind(context, "routines", ["routines"])));
    if (findings.length > 0) return findings;
    const observed = `none of ${others.length} routines that can be seen`;
    return [judge("routines", true, { subject: source.subject, observed, expected: "none", fix: "" })];
  },
};

function refused(source: ServerView, count: number, seen: boolean): Finding {
  return refusedLater(
    "routines",
    source,
    {
      observed: `${count} routines ${seen ? "may use tables that their texts do not name" : "whose use of tables is not known"}`,
      fix: seen
        ? "Make sure that the applications behind the proxy call none of them, or let them connect past the proxy."
        : "GRANT SHOW_ROUTINE, SHOW DATABASES ON *.* TO …; so that their texts can be read; or make sure that nobody calls them.",
    },
    "warning",
  );
}

async function bodies(
  server: ServerView,
): Promise<ReadonlyMap<string, { readonly text: string; readonly kind: string }>> {
  const all = new Map<string, { text: string; kind: string }>();
  for (const { name, kind, body } of await server.rows(DEFINITIONS)) {
    const before = all.get(name ?? "")?.text ?? "";
    all.set(name ?? "", { text: before + (body ?? ""), kind: (kind ?? "").toLowerCase() });
  }
  return all;
}
