import type { Judgement } from "../rules/judgement.ts";
import type { Decision } from "../rules/routing.ts";
import type { StatementFacts } from "../sql/statement.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { notSupported } from "./client-errors.ts";
import type { RefusalReason } from "./proxy-metrics.ts";

/** What of a session decides where its next packet goes. */
export interface RouteContext {
  readonly defaultBackend: string;
  /** Where the last statement went: it knows warnings, counts and the like. */
  readonly lastBackend: string;
  /** The backend on which a transaction is open. */
  readonly transaction: string | undefined;
  /** The backend that the session cannot leave, and why. */
  readonly pinned: { readonly backend: string; readonly reason: string } | undefined;
  /** Backends whose temporary tables the packet names. */
  readonly temporaryBackends: readonly string[];
}

/** Where a packet goes and what it must wait for. */
export interface Route {
  readonly backend: string;
  /** Its tables have decided on the backend, so a transaction that is not open anywhere yet opens there. */
  readonly chooses: boolean;
  readonly tables: readonly string[];
  readonly everything: boolean;
  readonly heldBy: readonly string[];
  readonly armedBy: readonly string[];
  readonly refusal?: Refusal | undefined;
  /** What became of a hint in its text. */
  readonly hint?: "followed" | "ignored" | undefined;
  /** It only looks at tables elsewhere than where they live. */
  readonly away?: boolean | undefined;
}

/** Why a packet can go nowhere. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly error: ErrPacket;
  /** The table that the transaction cannot reach, where it is open elsewhere. */
  readonly beyond?: string | undefined;
  /** The one statement that could not be understood: it may be none. */
  readonly notUnderstood?: Buffer | undefined;
}

/** Decides on a packet of one or several statements: all of them have one home, or the packet is refused whole. */
export function routePacket(judgement: Judgement, context: RouteContext): Route {
  const { decisions, facts } = judgement;
  const only = decisions.length === 1 ? decisions[0] : undefined;
  const merged = {
    tables: only?.tables ?? union(decisions.map(({ tables }) => tables)),
    everything: decisions.some(({ kind }) => kind === "everything"),
    heldBy: only?.heldBy ?? union(decisions.map(({ heldBy }) => heldBy)),
    armedBy: only?.armedBy ?? union(decisions.map(({ armedBy }) => armedBy)),
  };
  const tied = context.transaction ?? context.pinned?.backend;
  const homes = new Set(context.temporaryBackends);
  for (const { backend } of decisions) if (backend !== undefined) homes.add(backend);
  const [home, second] = homes;
  const refusal =
    unknownHome(judgement) ??
    splitHomes(decisions, second === undefined ? [] : [...homes]) ??
    beyond(home, context, decisions);
  const chooses = home !== undefined || merged.everything;
  const backend = home ?? tied ?? (facts.some(looksBack) ? context.lastBackend : context.defaultBackend);
  return { backend, chooses, ...merged, refusal };
}

/** Asks for something that the server keeps of the statement before. */
function looksBack(facts: StatementFacts): boolean {
  // The ids in a list of processes are meant for KILL, which goes by those of the default backend; and that one has
  // the tables that have not moved as well as the old ones of those that have, as its information_schema says.
  if (facts.listsServer === true) return false;
  return facts.effects.length > 0 || facts.kind === "show" || facts.kind === "commit" || facts.kind === "rollback";
}

function unknownHome({ decisions, facts }: Judgement): Refusal | undefined {
  const at = decisions.findIndex(({ kind, backend }) => kind === "everything" && backend === undefined);
  if (at < 0) return undefined;
  const because = facts[at]?.everythingBecause ?? "it may touch any table";
  return {
    reason: "unknown-home",
    error: notSupported(`cannot tell which server this statement belongs to, since tables live on several: ${because}`),
  };
}

function splitHomes(decisions: readonly Decision[], homes: readonly string[]): Refusal | undefined {
  const split = decisions.find(({ kind }) => kind === "split");
  if (split !== undefined) {
    const places = Object.entries(split.homes ?? {}).map(([table, at]) => `${table} on ${at}`);
    const what = `a statement cannot use tables of different servers: ${places.join(", ")}`;
    return { reason: "split", error: notSupported(what) };
  }
  if (homes.length === 0) return undefined;
  const places = decisions.flatMap(({ tables, backend }) =>
    backend === undefined ? [] : `${tables.join(", ")} on ${backend}`,
  );
  const what = `statements sent together must belong to one server, temporary tables included: ${places.join("; ")}`;
  return { reason: "split", error: notSupported(what) };
}

function beyond(home: string | undefined, context: RouteContext, decisions: readonly Decision[]): Refusal | undefined {
  if (home === undefined) return undefined;
  const table = decisions.flatMap(({ tables }) => tables)[0] ?? "the statement";
  if (context.transaction !== undefined && context.transaction !== home) {
    const what = `the transaction is open on ${context.transaction}, and ${table} lives on ${home}; end it first`;
    return { reason: "transaction", error: notSupported(what), beyond: table };
  }
  const { pinned } = context;
  if (pinned !== undefined && pinned.backend !== home) {
    const what = `${table} lives on ${home}, and this session cannot leave ${pinned.backend}: ${pinned.reason}`;
    return { reason: "pinned", error: notSupported(what), beyond: table };
  }
  return undefined;
}

function union(lists: readonly (readonly string[])[]): readonly string[] {
  const all = new Set<string>();
  for (const list of lists) for (const item of list) all.add(item);
  return [...all].sort();
}
