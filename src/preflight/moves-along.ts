import { tableKey } from "../base/table-name.ts";
import type { CheckContext } from "./check.ts";
import { type Finding, judge } from "./finding.ts";
import type { Touched } from "./names-behind.ts";

/** A view or a routine that uses tables that are to move, and what there is of it on the target. */
export interface Along {
  /** The check that it is for. */
  readonly id: string;
  /** `view shop.v`. */
  readonly name: string;
  readonly touched: Touched;
  /** Whether the target has it with the same definition; undefined where it has none of that name. */
  readonly same: boolean | undefined;
  /** How grave it is that the target has not the same: it cannot have it before the tables have been copied. */
  readonly missing: "error" | "warning";
  /** Creates it: `SHOW CREATE VIEW …`. */
  readonly show: string;
}

/** Those of a definition's tables that are to move, and those that are not. */
export function parted(
  touched: Touched,
  context: CheckContext,
): { readonly moving: string[]; readonly staying: string[] } {
  const moves = new Set(context.tables.map((table) => tableKey(table).toLowerCase()));
  const moving = touched.tables.filter((key) => moves.has(key.toLowerCase()));
  return { moving, staying: touched.tables.filter((key) => !moves.has(key.toLowerCase())) };
}

/**
 * What stands behind a name can go where its tables go if all of them move, and if the target has the same under that name
 * by the time of the switch: the proxy then sends statements that use it there. Until the tables have been copied
 * it cannot be created, so that it is missing then is only told.
 */
export function movesAlong(along: Along, context: CheckContext): Finding {
  const { id, name, touched, same, missing, show } = along;
  const { moving, staying } = parted(touched, context);
  const subject = moving.join(", ");
  if (touched.unknown !== undefined || staying.length > 0) {
    const more = touched.unknown ?? `it also uses ${staying.join(", ")}`;
    return judge(id, false, {
      subject,
      observed: `${name} uses it; ${more}`,
      expected: "views and routines whose tables all move",
      fix: `Move all its tables together, or drop ${name}, or leave the table out.`,
    });
  }
  const lacks = same === undefined ? "the target has none" : "the target's is defined otherwise";
  return judge(
    id,
    same === true,
    {
      subject,
      observed: same === true ? `${name} uses it, and is on both servers` : `${name} uses it; ${lacks}`,
      expected: "the same on the target by the time of the switch",
      fix: `Create it there once the tables have been copied, as "check --print-objects" prints it (${show} on the source).`,
    },
    missing,
  );
}
