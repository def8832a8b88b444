import { messageOf } from "../base/errors.ts";
import { quoteId } from "../base/table-name.ts";
import type { SetAssignment, StatementFacts } from "../sql/statement.ts";
import { preparedKey } from "./prepared-statement.ts";
import type { SessionBackend } from "./session-backends.ts";
import { changesReading, INSERT_IDS, type Recorded } from "./session-settings.ts";
import type { SessionState } from "./session-state.ts";

/** What in a literal may mean something else in another mode or character set. */
const READ_BY_MODE = ["'", '"', "\\"];

const PREPARED_UNREAD = "it has statements prepared by PREPARE";
/** With more pins than this, prepared statements that cannot be followed are one together. */
const UNREAD_MAX = 1000;

/** Keeps a session's state in step with what the server has carried out for its client. */
export async function applyEffects(
  state: SessionState,
  facts: StatementFacts,
  text: Buffer,
  backend: SessionBackend,
): Promise<void> {
  const pin = (kind: string, reason: string, open = false): void =>
    state.pins.set(kind, { backend: backend.name, reason, open });
  switch (facts.kind) {
    case "set":
      await applyAssignments(state, facts, backend);
      return;
    case "use":
      backend.schema = facts.useSchema;
      state.names.use(facts.useSchema);
      return;
    case "prepare":
    case "execute":
    case "deallocate":
      await applyDynamic(state, facts, backend);
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
      applyHandler(state, facts.handler, () => pin("handler", "it has opened a HANDLER", true));
      return;
    case "flush":
      if (/\b(with\s+read\s+lock|for\s+export)\b/i.test(text.toString("latin1", facts.start, facts.end))) {
        pin("flush", "it has locked tables by FLUSH", true);
      }
      return;
    case "other":
      if (facts.backupLock === "taken") pin("backup-lock", "it has locked the server for a backup", true);
      else if (facts.backupLock === "released") state.pins.clear("backup-lock");
      else if (facts.touchesEverything)
        pin("other", `a statement may have changed the session: ${facts.everythingBecause}`);
      return;
    default:
      break;
  }
  assigned(state, facts.userVariables ?? [], backend);
  const { routing } = state;
  if (facts.createsTemporaryTable !== undefined) {
    state.names.addTemporary(facts.createsTemporaryTable, routing, backend.name);
  }
  if (facts.dropsTables !== undefined) state.names.drop(facts.dropsTables, routing);
}

/** A HANDLER stays open through transactions, until it is closed by its name. */
function applyHandler(state: SessionState, handler: StatementFacts["handler"], pin: () => void): void {
  if (handler === undefined || handler.action === "read") return;
  const name = handler.name.toLowerCase();
  if (handler.action === "open") {
    state.handlers.add(name);
    pin();
    return;
  }
  state.handlers.delete(name);
  if (state.handlers.size === 0) state.pins.clear("handler");
}

/** PREPARE and its like among other statements, or of a text that is not known. */
async function applyDynamic(
  state: SessionState,
  { kind, dynamic }: StatementFacts,
  backend: SessionBackend,
): Promise<void> {
  const key = preparedKey(dynamic?.name ?? "");
  const pin = (what: string, reason: string): void =>
    state.pins.set(what, { backend: backend.name, reason, open: false });
  const statement = state.textPrepared.get(key);
  if (kind === "prepare") {
    state.textPrepared.delete(key);
    const { connection } = backend;
    if (dynamic?.action !== "prepare" || dynamic.text === undefined) {
      pin(state.preparedFull || state.pins.size >= UNREAD_MAX ? "prepare" : `prepare ${key}`, PREPARED_UNREAD);
    } else if (state.preparedFull) pin("prepare", PREPARED_UNREAD);
    else {
      const { name, text } = dynamic;
      state.textPrepared.set(key, {
        ...{ name, text, schema: state.names.schema, reading: state.settings.reading },
        on: new Set([connection]),
      });
    }
  } else if (kind === "deallocate") {
    state.textPrepared.delete(key);
    state.pins.clear(`prepare ${key}`);
  } else if (statement === undefined) pin("execute", "a prepared text that is not known may have changed the session");
  else {
    const { facts } = state.judgeKept(statement);
    for (const one of facts) await applyEffects(state, one, statement.text, backend);
  }
}

/**
 * A statement has given user variables values that its text does not tell, or may have done so before it failed. They are
 * read when the session goes to another backend.
 */
export function assigned(state: SessionState, names: readonly string[], backend: SessionBackend): void {
  keepingUpToDate(state, backend, () => {
    for (const name of names) {
      pinUnlessKept(state, `user ${name}`, state.settings.assigned(name, backend.name), backend);
    }
  });
}

async function applyAssignments(state: SessionState, facts: StatementFacts, backend: SessionBackend): Promise<void> {
  const assignments = facts.setAssignments ?? [];
  // All of a SET is read before any of it is carried out.
  const changed = READ_BY_MODE.filter((mark) => assignments.some((one) => changesReading(one, mark)));
  for (const assignment of lastOfEach(assignments)) {
    const { scope, name, valueText } = assignment;
    const literal = assignment.literal && !(scope === "user" && changed.some((mark) => valueText.includes(mark)));
    let recorded = keepingUpToDate(state, backend, () =>
      state.settings.record({ ...assignment, literal }, backend.name),
    );
    if (recorded === "read-back") recorded = await readBack(state, name, backend);
    if (scope === "session" && INSERT_IDS.has(name)) state.insertBackend = backend.name;
    pinUnlessKept(state, `${scope} ${name}`, recorded, backend);
  }
  // A value may assign others: SET @a = (@b := 1).
  if (assignments.some(({ literal, valueText }) => !literal && valueText.includes(":="))) {
    assigned(state, facts.userVariables ?? [], backend);
  }
}

/** Each variable once, in the order in which they were set last. */
function lastOfEach(assignments: readonly SetAssignment[]): Iterable<SetAssignment> {
  const last = new Map<string, SetAssignment>();
  for (const assignment of assignments) {
    const key = `${assignment.scope} ${assignment.name.toLowerCase()}`;
    last.delete(key);
    last.set(key, assignment);
  }
  return last.values();
}

/** A backend that has carried out a statement knows what it has set. */
function keepingUpToDate<T>(state: SessionState, backend: SessionBackend, record: () => T): T {
  const upToDate = backend.settings === state.settings.serial;
  const result = record();
  if (upToDate) backend.settings = state.settings.serial;
  return result;
}

function pinUnlessKept(state: SessionState, what: string, recorded: Recorded, backend: SessionBackend): void {
  if (typeof recorded !== "object") state.pins.clear(`set ${what}`);
  else {
    const kind = recorded.lasts === undefined ? `set ${what}` : `settings: ${recorded.lasts}`;
    state.pins.set(kind, { backend: backend.name, reason: recorded.pins, open: false });
  }
}

async function readBack(state: SessionState, name: string, backend: SessionBackend): Promise<Recorded> {
  const variable = name.split(".").map(quoteId).join(".");
  try {
    // Explicitly one row, since `sql_select_limit` may be 0.
    const answer = await backend.connection.query(`SELECT @@SESSION.${variable} LIMIT 1`);
    const value = answer.rows[0]?.[0] ?? null;
    if (answer.error === undefined) {
      return keepingUpToDate(state, backend, () => state.settings.recordReadBack(name, value));
    }
    return { pins: `the value of ${name} cannot be read: ${answer.error.message}` };
  } catch (error) {
    return { pins: `the value of ${name} cannot be read: ${messageOf(error)}` };
  }
}
