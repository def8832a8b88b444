import { isSpatial } from "../../table/spatial.ts";
import type { TableShape } from "../../table/table-shape.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/** Findings are for people: more are not named one by one. */
const NAMED_MAX = 5;

/**
 * A geometry is stored with the number of its spatial reference system and goes to any server as it is; but functions and
 * spatial indexes of a server that does not have the system refuse it, or count otherwise where it is defined otherwise.
 */
export const spatialSystemsCheck: Check = {
  id: "spatial-systems",
  title: "the target has the source's spatial reference systems, where tables have geometries",
  severities: ["error", "warning"],
  remedy: "Create the systems on the target as they are on the source.",
  async run({ source, target, tables }) {
    const shapes: TableShape[] = [];
    for (const table of tables) shapes.push(await source.shape(table));
    if (!shapes.some(({ columns }) => columns.some(({ dataType }) => isSpatial(dataType)))) {
      return [finding(target, "not asked: no column has geometries", true)];
    }
    const [mine, theirs] = await Promise.all([systemsOf(source), systemsOf(target)]);
    const missing = [...mine.keys()].filter((id) => !theirs.has(id));
    const unlike = [...mine].filter(([id, digest]) => theirs.has(id) && theirs.get(id) !== digest).map(([id]) => id);
    return [
      finding(target, `${missing.length} of ${mine.size} are missing${named(missing)}`, missing.length === 0),
      finding(target, `${unlike.length} are defined otherwise${named(unlike)}`, unlike.length === 0, "warning"),
    ];
  },
};

function finding(target: ServerView, observed: string, good: boolean, severity?: "warning"): Finding {
  return judge(
    "spatial-systems",
    good,
    {
      subject: target.subject,
      observed,
      expected: "every system of the source",
      fix: "Create them with CREATE SPATIAL REFERENCE SYSTEM as information_schema.ST_SPATIAL_REFERENCE_SYSTEMS of the source defines them.",
    },
    severity,
  );
}

/** A checksum of the definition by the number of each system. */
async function systemsOf(server: ServerView): Promise<ReadonlyMap<string, string>> {
  const rows = await server.rows(
    "SELECT SRS_ID AS id, CRC32(DEFINITION) AS digest FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS",
  );
  return new Map(rows.map((row) => [String(row["id"]), String(row["digest"])]));
}

function named(ids: readonly string[]): string {
  if (ids.length === 0) return "";
  const more = ids.length > NAMED_MAX ? ` and ${ids.length - NAMED_MAX} more` : "";
  return `: SRID ${ids.slice(0, NAMED_MAX).join(", ")}${more}`;
}
