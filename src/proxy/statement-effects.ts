import { messageOf } from "../base/errors.ts";
import { quoteId } from "../base/table-name.ts";
import type { SetAssignment, StatementFacts } from "../sql/statement.ts";
import type { SessionBackend } from "./session-backends.ts";
import type { SessionState } from "./session-state.ts";

/** Statements after which it is not known what has become of the session. */
const OPAQUE: ReadonlyMap<StatementFacts["kind"], string> = new Map([
  ["call", "a stored procedure may have changed the session"],
  ["prepare", "it has statements prepared by PREPARE"],
  ["xa", "it has used XA transactions"],
]);

/** Keeps a session's state in step with what the server has carried out for its client. */
export async function applyEffects(
  state: SessionState,
  facts: StatementFacts,
  text: Buffer,
  backend: SessionBackend,
): Promise<void> {
  const pin = (kind: string, reason: string, open = false): void =>
    state.pins.set(kind, { backend: backend.name, reason, open });
  const opaque = OPAQUE.get(facts.kind);
  if (opaque !== undefined) pin(facts.kind, opaque);
  switch (facts.kind) {
    case "set":
      await applyAssignments(state, facts.setAssignments ?? [], backend);
      return;
    case "use":
      backend.schema = facts.useSchema;
      state.names.use(facts.useSchema);
      return;
    case "lock-tables":
      pin("lock-tables", "it has locked tables", true);
      return;
    case "begin":
    case "unlock-tables":
      state.pins.clear("lock-tables");
      if (facts.kind === "unlock-tables") state.pins.clear("flush");
      return;
    case "handler":
      pin("handler", "it has opened a HANDLER", true);
      return;
    case "flush":
      if (/\b(with\s+read\s+lock|for\s+export)\b/i.test(text.toString("latin1", facts.start, facts.end))) {
        pin("flush", "it has locked tables by FLUSH", true);
      }
      return;
    case "other":
      if (facts.touchesEverything) pin("other", `a statement may have changed the session: ${facts.everythingBecause}`);
      return;
    default:
      break;
  }
  if (facts.effects.includes("assigns-user-variables"))
    pin("user-variables", "a statement has assigned user variables");
  const { routing } = state;
  if (facts.createsTemporaryTable !== undefined) {
    state.names.addTemporary(facts.createsTemporaryTable, routing, backend.name);
  }
  if (facts.dropsTables !== undefined) state.names.drop(facts.dropsTables, routing);
}

async function applyAssignments(
  state: SessionState,
  assignments: readonly SetAssignment[],
  backend: SessionBackend,
): Promise<void> {
  const upToDate = backend.settings === state.settings.serial;
  for (const assignment of assignments) {
    let recorded = state.settings.record(assignment);
    if (recorded === "read-back") recorded = await readBack(state, assignment.name, backend);
    if (typeof recorded === "object") {
      state.pins.set(`set ${assignment.name}`, { backend: backend.name, reason: recorded.pins, open: false });
    }
  }
  if (upToDate) backend.settings = state.settings.serial;
}

async function readBack(
  state: SessionState,
  name: string,
  backend: SessionBackend,
): Promise<ReturnType<SessionState["settings"]["record"]>> {
  const variable = name.split(".").map(quoteId).join(".");
  try {
    const answer = await backend.connection.query(`SELECT @@SESSION.${variable}`);
    if (answer.error === undefined) return state.settings.recordReadBack(name, answer.rows[0]?.[0] ?? null);
    return { pins: `the value of ${name} cannot be read: ${answer.error.message}` };
  } catch (error) {
    return { pins: `the value of ${name} cannot be read: ${messageOf(error)}` };
  }
}
