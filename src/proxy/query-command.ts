import type { Judgement } from "../rules/judgement.ts";
import type { SideEffect, StatementFacts, XaStatement } from "../sql/statement.ts";
import { savepointUnknown, transactionInProgress } from "./client-errors.ts";
import type { KeptText } from "./prepared-reading.ts";
import type { ReplyEnd } from "./reply-jobs.ts";
import { hinted } from "./route-hints.ts";
import { noteCalls, settleCalls } from "./routine-calls.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import type { SessionState } from "./session-state.ts";
import { routeContext, routeFreely } from "./simple-commands.ts";
import { applyEffects, assigned } from "./statement-effects.ts";
import { type Route, routePacket } from "./statement-route.ts";
import type { Work } from "./work.ts";

/** What prepared statements and texts have in common: their facts decide on the route and on what they leave behind. */
export function statementTraits(
  session: Session,
  facts: readonly StatementFacts[],
  text: Buffer,
): Pick<Work, "kind" | "opens" | "readsInsertId" | "readsOutcome" | "timeLimitMs"> {
  const only = facts.length === 1 ? facts[0] : undefined;
  return {
    kind: only?.kind ?? "other",
    opens: facts.length > 1 || facts[0]?.kind === "begin" || session.backends.mayOpen,
    readsInsertId: facts.some(({ effects }) => effects.includes("reads-last-insert-id")),
    readsOutcome: OUTCOMES.some((outcome) => facts[0]?.effects.includes(outcome)),
    timeLimitMs: only?.kind === "select" ? timeLimitMs(text, session.state.settings.maxExecutionMs) : 0,
  };
}

/** What a statement may ask for of the one before it. */
const OUTCOMES: readonly SideEffect[] = ["reads-diagnostics", "reads-row-count"];
/** COMMIT and ROLLBACK with RELEASE have a server end the session. */
const RELEASED = { source: "client", reason: "quit" } as const;
const HINT_BYTES_MAX = 500;

/** The limit that a SELECT asks for in its hint, or else its session. */
function timeLimitMs(text: Buffer, sessionMs: number): number {
  const hint = /^[\s(]*SELECT\s*\/\*\+[^*]*\bMAX_EXECUTION_TIME\s*\(\s*(\d{1,9})\s*\)/i;
  const found = hint.exec(text.toString("latin1", 0, HINT_BYTES_MAX))?.[1];
  return found === undefined ? sessionMs : Number(found);
}

/** What a server refuses within a distributed transaction must be refused by one that knows of it. */
const ABOUT_IT: ReadonlySet<StatementFacts["kind"]> = new Set(["commit", "rollback", "savepoint"]);

/** Routes a text by the rules in force in this turn. */
export function routeText(session: Session, text: Buffer, schema: string | undefined): Route {
  return routed(session, text, () => session.state.judge(text, schema));
}

/** The same of a text that was prepared. */
export function routeKept(session: Session, kept: KeptText): Route {
  return routed(session, kept.text, () => session.state.judgeKept(kept));
}

function routed(session: Session, text: Buffer, judge: () => Judgement): Route {
  const { state } = session;
  const judgement = judge();
  if (judgement.facts.length === 1 && goesOnWithHandler(session, judgement.facts[0])) return routeFreely(session);
  const { routing } = state;
  const temporary = judgement.facts.flatMap((facts) => state.names.temporaryBackends(facts, routing));
  const context = routeContext(session, temporary);
  let route = routePacket(judgement, context);
  // A transaction that has used no table yet is begun anew where the first one is.
  if (route.refusal?.reason === "transaction" && state.transaction.mayFollow) {
    route = routePacket(judgement, { ...context, transaction: undefined });
  }
  if (route.refusal?.reason === "unknown-home" && judgement.facts.length === 1) {
    return { ...route, refusal: { ...route.refusal, notUnderstood: text } };
  }
  // What was called before a migration began may be known by now.
  if (route.refusal?.reason === "pinned" && settleCalls(session)) return routed(session, text, judge);
  const hint = judgement.facts[0]?.routeHint;
  if (hint !== undefined) route = hinted(session, { judgement, route, hint, hidesTables: temporary.length > 0 });
  const withinXa = (facts: StatementFacts): boolean => state.transaction.isXa && ABOUT_IT.has(facts.kind);
  const opensAnyway =
    judgement.facts.length > 1 || judgement.facts.some((facts) => opensByItself(facts) || withinXa(facts));
  return opensAnyway && state.transaction.isLazy && !route.chooses ? { ...route, chooses: true } : route;
}

/** HANDLER READ and CLOSE go to where the HANDLER is open, wherever a table of that name has its home. */
function goesOnWithHandler(session: Session, facts: StatementFacts | undefined): boolean {
  const handler = facts?.handler;
  return handler !== undefined && handler.action !== "open" && session.state.handlers.has(handler.name.toLowerCase());
}

/** Whether a transaction that no server knows of yet must be opened ahead of it, whatever tables it names. */
function opensByItself(facts: StatementFacts): boolean {
  return facts.causesImplicitCommit || facts.kind === "call";
}

const INSERTS: ReadonlySet<StatementFacts["kind"]> = new Set(["insert", "replace", "call", "load-data"]);

/** The key of the pin of `SET insert_id`. */
const INSERT_ID = "set session insert_id";

/** A value of `insert_id` is for the next row that needs one; only the server knows which that was. */
async function lookWhetherUsed(state: SessionState, backend: SessionBackend): Promise<void> {
  const answer = await backend.connection.query("SELECT @@SESSION.insert_id LIMIT 1");
  if (answer.rows[0]?.[0] === "0") state.pins.clear(INSERT_ID);
}

/** Keeps the session's state in step with the statements that have succeeded. */
export async function afterStatements(
  session: Session,
  done: {
    text: Buffer;
    facts: readonly StatementFacts[];
    /** What its names mean, where that is another than the session's. */
    schema?: string | undefined;
    backend: SessionBackend;
    end: ReplyEnd;
  },
): Promise<void> {
  const { text, facts, backend, end } = done;
  const { state } = session;
  let schema = "schema" in done ? done.schema : state.names.schema;
  const ties = (): number => state.pins.size + state.names.temporaryTables;
  const before = ties();
  if (facts.length === 1 && facts[0]?.kind === "begin" && end.error === undefined) noteBegun(session, facts[0]);
  const succeeded = end.error === undefined ? facts.length : facts.length === 1 ? 0 : end.results;
  for (const one of facts.slice(0, succeeded)) {
    await applyEffects(state, one, text, backend);
    if (ties() > 0) state.explain(text.subarray(one.start, one.end));
    if (one.locksUserLevel) state.userLocksAt = backend.name;
    if (one.release === true) session.disconnect(RELEASED);
    if (one.xa !== undefined) noteXa(session, one.xa, backend);
    if (INSERTS.has(one.kind) || one.effects.includes("sets-last-insert-id")) state.insertBackend = backend.name;
  }
  // What a statement has assigned before it failed stays assigned.
  const failed = end.error === undefined ? undefined : facts[succeeded];
  if (failed?.userVariables !== undefined) assigned(state, failed.userVariables, backend);
  for (const one of facts) {
    noteCalls(session, one, schema, backend);
    schema = one.useSchema ?? schema;
  }
  if (state.pins.has(INSERT_ID) && facts.some(({ kind }) => INSERTS.has(kind))) await lookWhetherUsed(state, backend);
  if (ties() > 0) state.explain(text);
  if (ties() !== before) session.context.arming.changed(session);
}

function noteXa({ state, context }: Session, { action, xid, onePhase }: XaStatement, backend: SessionBackend): void {
  if (action === "start") state.transaction.begunXa();
  if (action === "prepare" && xid !== undefined) context.xids.note(xid, backend.name);
  if ((action === "rollback" || (action === "commit" && onePhase !== true)) && xid !== undefined)
    context.xids.forget(xid);
}

/** A server has begun a transaction at once. Those with a snapshot have read already, and stay. */
function noteBegun({ state }: Session, { beginForm }: StatementFacts): void {
  const ahead = state.oneShotSent;
  state.oneShotSent = [];
  if (beginForm !== undefined && beginForm !== "consistent-snapshot") state.transaction.begun(beginForm, ahead);
}

/** Statements about a transaction that no server knows of yet are answered here. Answers whether this was one. */
export async function answerHere(session: Session, facts: StatementFacts): Promise<boolean> {
  const { transaction } = session.state;
  if (transaction.isXa) return false;
  switch (facts.kind) {
    case "begin":
      return await beginLazily(session, facts);
    case "commit":
    case "rollback":
      return transaction.isLazy && endLazily(session, facts);
    case "savepoint":
      return transaction.isLazy && facts.savepoint !== undefined && savepointLazily(session, facts.savepoint);
    case "set":
      return setNextTransaction(session, facts);
    default:
      return false;
  }
}

async function beginLazily(session: Session, facts: StatementFacts): Promise<boolean> {
  const { state } = session;
  const form = facts.beginForm;
  if (form === undefined || form === "consistent-snapshot") return false;
  if (!state.settings.allowsLazy || state.pins.has("lock-tables") || state.pins.has("flush")) return false;
  // A server shows at once that it will be one for reading only.
  if (state.oneShot.some((sql) => sql.startsWith("SET @@transaction_read_only "))) return false;
  const open = state.transaction.backend;
  if (open !== undefined) {
    // To a plain BEGIN the transaction that it commits hands down that it was for reading only.
    if (session.backends.get(open)?.connection.readsOnly === true) return false;
    // A BEGIN commits what is open; only then is the next home free.
    const backend = session.backends.get(open);
    const answer = await backend?.connection.query("COMMIT");
    if (answer?.error !== undefined) {
      await backend?.connection.refresh();
      state.transaction.told(open, backend?.connection.inTransaction ?? false);
      session.answerError(answer.error);
      return true;
    }
    state.transaction.ended();
    state.used([]);
    session.context.traffic.settled(session);
  }
  const told = state.transaction.isLazy ? "as before" : "begun";
  state.transaction.begin(form === "plain" && state.transaction.readsOnly ? "read-only" : form);
  session.answerOk(told);
  return true;
}

function endLazily(session: Session, facts: StatementFacts): boolean {
  if (facts.chain === true) session.state.transaction.restart();
  else session.state.transaction.ended();
  session.answerOk(facts.chain === true ? "as before" : "ended");
  if (facts.release === true) session.disconnect(RELEASED);
  return true;
}

function savepointLazily(session: Session, savepoint: NonNullable<StatementFacts["savepoint"]>): boolean {
  const { transaction } = session.state;
  const { action, name } = savepoint;
  if (action === "set") transaction.addSavepoint(name);
  else if (!transaction.backTo(name, action)) {
    session.answerError(savepointUnknown(name));
    return true;
  }
  session.answerOk();
  return true;
}

/** SET TRANSACTION for the next transaction goes ahead of it, to the backend that gets it. */
function setNextTransaction(session: Session, facts: StatementFacts): boolean {
  const { state } = session;
  const assignments = facts.setAssignments ?? [];
  const all =
    assignments.length > 0 && assignments.every(({ scope, literal }) => scope === "next-transaction" && literal);
  if (!all || state.transaction.backend !== undefined) return false;
  if (state.transaction.isLazy) {
    session.answerError(transactionInProgress());
    return true;
  }
  for (const { name, valueText } of assignments) {
    const sql = `SET @@${name} = ${valueText}`;
    state.oneShot = [...state.oneShot.filter((other) => !other.startsWith(`SET @@${name} `)), sql];
  }
  session.answerOk();
  return true;
}
