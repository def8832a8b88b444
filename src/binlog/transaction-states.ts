import type { BinlogEvent } from "./binlog-event.ts";

/**
 * Where the reader is in the log: `between` transactions; `opened`, after the event that names one; `inside` an
 * ordinary one; inside an XA branch, before or after its XA END.
 */
export type TransactionState = "between" | "opened" | "inside" | "xa" | "xa-ended";

/** What an event means for the shape of a transaction, whatever it carries. */
export type ShapeEvent =
  | "gtid"
  | "begin"
  | "rows"
  | "xid"
  | "commit"
  | "rollback"
  | "savepoint"
  | "rollback-to"
  | "xa-start"
  | "xa-end"
  | "xa-prepare"
  | "xa-one-phase"
  | "xa-finish"
  | "create-select"
  | "text"
  | "statement-context"
  | "neutral";

/** What a step hands on: nothing, or a part of the transaction; `end-…` parts close it. */
export type Emit = "nothing" | "begin" | "rows" | "statement" | "end-commit" | "end-statement" | "end-prepare";

export type ShapeStep = { readonly to: TransactionState; readonly emit: Emit } | { readonly refuse: string };

const OUTSIDE = "it came outside of a transaction";
const NOTHING_YET = "the transaction has not begun";
const CUT = "the transaction before it has no end";
const IN_XA = "it came inside an XA transaction";
const AFTER_XA_END = "it came after the end of an XA transaction";
const STATEMENT_FORMAT = "a session writes in statement format, whose effect cannot be known from the log";
const UNDONE = "part of a transaction that also changed tables without transactions was rolled back";

function go(to: TransactionState, emit: Emit = "nothing"): ShapeStep {
  return { to, emit };
}

function no(refuse: string): ShapeStep {
  return { refuse };
}

/** Every state against every event: the shapes that MySQL writes, and why any other is refused. */
export const TRANSACTION_STEPS: Readonly<Record<TransactionState, Readonly<Record<ShapeEvent, ShapeStep>>>> = {
  between: {
    gtid: go("opened", "begin"),
    begin: no(OUTSIDE),
    rows: no(OUTSIDE),
    xid: no(OUTSIDE),
    commit: no(OUTSIDE),
    rollback: no(OUTSIDE),
    savepoint: no(OUTSIDE),
    "rollback-to": no(OUTSIDE),
    "xa-start": no(OUTSIDE),
    "xa-end": no(OUTSIDE),
    "xa-prepare": no(OUTSIDE),
    "xa-one-phase": no(OUTSIDE),
    "xa-finish": no(OUTSIDE),
    "create-select": no(OUTSIDE),
    text: no(OUTSIDE),
    "statement-context": no(OUTSIDE),
    neutral: go("between"),
  },
  opened: {
    gtid: no(CUT),
    begin: go("inside"),
    rows: no(NOTHING_YET),
    xid: no(NOTHING_YET),
    commit: no(NOTHING_YET),
    rollback: no(NOTHING_YET),
    savepoint: no(NOTHING_YET),
    "rollback-to": no(NOTHING_YET),
    "xa-start": go("xa"),
    "xa-end": no(NOTHING_YET),
    "xa-prepare": no(NOTHING_YET),
    "xa-one-phase": no(NOTHING_YET),
    "xa-finish": go("between", "end-commit"),
    "create-select": go("inside", "statement"),
    text: go("between", "end-statement"),
    "statement-context": no(STATEMENT_FORMAT),
    neutral: go("opened"),
  },
  inside: {
    gtid: no(CUT),
    begin: no(CUT),
    rows: go("inside", "rows"),
    xid: go("between", "end-commit"),
    commit: go("between", "end-commit"),
    rollback: no(UNDONE),
    savepoint: go("inside"),
    "rollback-to": no(UNDONE),
    "xa-start": no(CUT),
    "xa-end": no(CUT),
    "xa-prepare": no(CUT),
    "xa-one-phase": no(CUT),
    "xa-finish": no(CUT),
    "create-select": go("inside", "statement"),
    text: go("inside", "statement"),
    "statement-context": no(STATEMENT_FORMAT),
    neutral: go("inside"),
  },
  xa: {
    gtid: no(CUT),
    begin: no(IN_XA),
    rows: go("xa", "rows"),
    xid: no(IN_XA),
    commit: no(IN_XA),
    rollback: no(IN_XA),
    savepoint: go("xa"),
    "rollback-to": no(UNDONE),
    "xa-start": no(IN_XA),
    "xa-end": go("xa-ended"),
    "xa-prepare": no(IN_XA),
    "xa-one-phase": no(IN_XA),
    "xa-finish": no(IN_XA),
    "create-select": no(IN_XA),
    text: go("xa", "statement"),
    "statement-context": no(STATEMENT_FORMAT),
    neutral: go("xa"),
  },
  "xa-ended": {
    gtid: no(CUT),
    begin: no(AFTER_XA_END),
    rows: no(AFTER_XA_END),
    xid: no(AFTER_XA_END),
    commit: no(AFTER_XA_END),
    rollback: no(AFTER_XA_END),
    savepoint: no(AFTER_XA_END),
    "rollback-to": no(AFTER_XA_END),
    "xa-start": no(AFTER_XA_END),
    "xa-end": no(AFTER_XA_END),
    "xa-prepare": go("between", "end-prepare"),
    "xa-one-phase": go("between", "end-commit"),
    "xa-finish": no(AFTER_XA_END),
    "create-select": no(AFTER_XA_END),
    text: no(AFTER_XA_END),
    "statement-context": no(AFTER_XA_END),
    neutral: go("xa-ended"),
  },
};

/** Sorts an event by what it means for the shape of a transaction. A payload is sorted by the events inside it. */
export function shapeOf(event: Exclude<BinlogEvent, { kind: "payload" | "anonymous-gtid" }>): ShapeEvent {
  switch (event.kind) {
    case "gtid":
    case "rows":
    case "xid":
    case "statement-context":
      return event.kind;
    case "xa-prepare":
      return event.onePhase ? "xa-one-phase" : "xa-prepare";
    case "query":
      return shapeOfText(event.sql);
    default:
      return "neutral";
  }
}

const EXACT: ReadonlyMap<string, ShapeEvent> = new Map<string, ShapeEvent>([
  ["BEGIN", "begin"],
  ["COMMIT", "commit"],
  ["ROLLBACK", "rollback"],
]);

const PREFIXES: readonly (readonly [RegExp, ShapeEvent])[] = [
  [/^XA START\b/i, "xa-start"],
  [/^XA END\b/i, "xa-end"],
  [/^XA (COMMIT|ROLLBACK)\b/i, "xa-finish"],
  [/^SAVEPOINT\b/i, "savepoint"],
  [/^ROLLBACK TO\b/i, "rollback-to"],
  [/^CREATE\b.*\bSTART TRANSACTION\s*$/is, "create-select"],
];

/** The server writes the words that frame a transaction itself, always in the same form. */
function shapeOfText(sql: string): ShapeEvent {
  const exact = EXACT.get(sql);
  if (exact !== undefined) return exact;
  for (const [pattern, shape] of PREFIXES) if (pattern.test(sql)) return shape;
  return "text";
}
