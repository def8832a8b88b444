import { SwitchyardError } from "../base/errors.ts";
import type { Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { Phase } from "../cutover/phase.ts";
import { withoutDiffs } from "./diff-run.ts";

/** Which server of a migration is replaced by which. */
export interface Repointing {
  readonly end: "source" | "target";
  /** Names of `backends:`; equal where the address behind the name has changed. */
  readonly from: string;
  readonly to: string;
  /** The other server of the migration, which stays. */
  readonly other: string;
  readonly formerUuid: string;
  /** The stream that runs in this phase. */
  readonly direction: Direction;
  /** The server is the tables' home: the stream follows it. Else the stream writes to it. */
  readonly isHome: boolean;
}

type Verdict = { readonly direction: Direction } | { readonly refuse: string };

const forward = { direction: "forward" } as const;
const ended =
  "it has ended, and no stream of it runs; change the address of the backend in the configuration and restart";

/** What repointing means in each phase. */
const IN_PHASE: Readonly<Record<Phase, Verdict>> = {
  created: forward,
  copying: forward,
  "catching-up": forward,
  running: forward,
  switching: { refuse: "a switch is under way; wait until it has ended" },
  switched: { direction: "reverse" },
  "rolling-back": { refuse: "a rollback is under way; wait until it has ended" },
  completed: { refuse: ended },
  cancelled: { refuse: ended },
};

/**
 * What an order asks for.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID`, `MIGRATION_PHASE_REFUSED`
 */
export function repointingOf(document: MigrationDocument, order: OrderDocument): Repointing {
  const { source, target } = order.options;
  if ((typeof source === "string") === (typeof target === "string")) {
    throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
      what: "one server is replaced at a time: either the source or the target",
      changed: "Nothing was changed.",
      fix: "Give --source or --target, with the backend that takes its place.",
    });
  }
  const verdict = IN_PHASE[document.phase];
  if ("refuse" in verdict) throw refused(document, `it is ${document.phase}: ${verdict.refuse}`);
  if (document.attempt !== undefined) {
    throw refused(document, `its last ${document.attempt.kind} is not cleared away yet; wait until it is`);
  }
  const end = typeof source === "string" ? "source" : "target";
  const [from, other, formerUuid] =
    end === "source"
      ? [document.source, document.target, document.sourceUuid]
      : [document.target, document.source, document.targetUuid];
  const to = String(source ?? target);
  if (to === other) throw refused(document, `"${to}" is its ${end === "source" ? "target" : "source"}`);
  const isHome = (verdict.direction === "forward") === (end === "source");
  return { end, from, to, other, formerUuid, direction: verdict.direction, isHome };
}

function refused(document: MigrationDocument, why: string): SwitchyardError {
  return new SwitchyardError("MIGRATION_PHASE_REFUSED", {
    what: `migration "${document.id}" cannot be repointed: ${why}`,
    changed: "Nothing was changed.",
  });
}

/** The journal with the new server in its place. What was compared was compared with the other one. */
export function repointed(document: MigrationDocument, change: Repointing, uuid: string): MigrationDocument {
  const { error: _, ...stream } = document.streams[change.direction];
  const moved =
    change.end === "source" ? { source: change.to, sourceUuid: uuid } : { target: change.to, targetUuid: uuid };
  const streams = { ...document.streams, [change.direction]: stream };
  return { ...withoutDiffs(withoutReader(document, change.to)), ...moved, streams };
}

/** Rows are read from a replica only while it is none of the two servers. */
function withoutReader(document: MigrationDocument, backend: string): MigrationDocument {
  if (document.tuning?.readFrom !== backend) return document;
  const { readFrom: _, ...tuning } = document.tuning;
  return { ...document, tuning };
}
