import { messageOf } from "../base/errors.ts";
import { describeHolder } from "./fence.ts";
import type { GateContext } from "./gate.ts";
import { isKnownServer, SERVER_CHANGED_FIX } from "./known-server.ts";
import type { GateFinding, LockHolder, SwitchEnds } from "./ports.ts";
import { registeredNonces } from "./proxy-view.ts";
import type { Insistence } from "./switch-options.ts";

interface ServerFacts {
  readonly uuid: string;
  readonly holders: readonly LockHolder[];
  /** Connections that come through registered proxies. */
  readonly proxied: ReadonlySet<string>;
  readonly settings: { readonly increment: string; readonly offset: string };
  readonly standstill: string | undefined;
}

/** Both servers answer, are those that the streams use, count ids alike, and no old transaction keeps the tables of the old home. */
export async function serverFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const { ends, limits, openTransactions } = context;
  const [old, fresh] = await Promise.all([facts(context, ends.oldHome), facts(context, ends.newHome)]);
  const unreachable = [old, fresh].filter((answer) => typeof answer === "string");
  const reach: GateFinding = {
    id: "servers-reachable",
    ok: unreachable.length === 0,
    title: "both servers answer",
    observed: unreachable.join("; ") || "both do",
    expected: "a login on each",
    fix: "Bring the server back, or correct its entry under backends.",
  };
  if (typeof old === "string" || typeof fresh === "string") return [reach];
  const inTheWay = old.holders.filter((holder) => !ofServer(holder) && isInTheWay(context, holder, old.proxied));
  const counting = `${old.settings.increment}/${old.settings.offset}`;
  const countingNew = `${fresh.settings.increment}/${fresh.settings.offset}`;
  return [
    reach,
    knownFinding(ends, old.uuid, fresh.uuid),
    locksFinding(context, old.holders, fresh.holders),
    standstillFinding(ends, old.standstill, fresh.standstill),
    {
      id: "long-transactions",
      ok: inTheWay.length === 0,
      title: openTransactions === "abort" ? "no transaction keeps the tables" : "no long transaction keeps the tables",
      observed: inTheWay.map(describeHolder).join("; ") || "none",
      expected: EXPECTED[openTransactions](limits.drainTimeoutMs),
      fix: "Wait until they have ended, or end them.",
    },
    {
      id: "auto-increment-settings",
      ok: counting === countingNew,
      title: "both servers give AUTO_INCREMENT values alike",
      observed: `${counting} on ${ends.oldHome}, ${countingNew} on ${ends.newHome}`,
      expected: "equal auto_increment_increment and auto_increment_offset",
      fix: "Set both variables alike on the two servers.",
    },
  ];
}

/** The streams' connections may lead to other servers than a new one to the same address. */
function knownFinding(ends: SwitchEnds, oldUuid: string, newUuid: string): GateFinding {
  const pairs = [
    { backend: ends.oldHome, known: ends.oldUuid, now: oldUuid },
    { backend: ends.newHome, known: ends.newUuid, now: newUuid },
  ];
  const others = pairs.filter(({ known, now }) => !isKnownServer(known, now));
  return {
    id: "servers-known",
    ok: others.length === 0,
    title: "both addresses lead to the servers that the streams use",
    observed: others.map(({ backend, now }) => `${backend} is server_uuid ${now}`).join("; ") || "both do",
    expected: pairs.map(({ backend, known }) => `${backend} is server_uuid ${known}`).join(", "),
    fix: SERVER_CHANGED_FIX,
  };
}

/** No error is given to whoever commits on a server whose log has no room. */
function standstillFinding(ends: SwitchEnds, old: string | undefined, fresh: string | undefined): GateFinding {
  const found = [
    ...(old === undefined ? [] : [`${ends.oldHome}: ${old}`]),
    ...(fresh === undefined ? [] : [`${ends.newHome}: ${fresh}`]),
  ];
  return {
    id: "commits-go-through",
    ok: found.length === 0,
    title: "commits go through on both servers",
    observed: found.join("; ") || "they do",
    expected: "no commit that stands still",
    fix: "Make room on the server's disk, and try again.",
  };
}

function ofServer({ by }: LockHolder): boolean {
  return by === "backup lock" || by === "global read lock";
}

/**
 * Who keeps either server from what a switch does there: a backup by a lock of the whole server, and on the new home
 * whoever locks tables, or has written to them and stays. Such a one may be all that makes the stream late.
 */
function locksFinding(
  { ends, limits }: GateContext,
  old: readonly LockHolder[],
  fresh: readonly LockHolder[],
): GateFinding {
  const keepsNewHome = ({ by, writes, seconds }: LockHolder): boolean =>
    by !== "transaction" || (writes && seconds * 1000 > limits.drainTimeoutMs);
  const found = [
    ...old
      .filter((holder) => !holder.ours && ofServer(holder))
      .map((holder) => `${ends.oldHome}: ${describeHolder(holder)}`),
    ...fresh
      .filter((holder) => !holder.ours && keepsNewHome(holder))
      .map((holder) => `${ends.newHome}: ${describeHolder(holder)}`),
  ];
  return {
    id: "server-locks",
    ok: found.length === 0,
    title: "nobody keeps either server by a lock",
    observed: found.join("; ") || "nobody does",
    expected: "no backup that locks a server, and nobody but the stream who keeps the tables of the new home",
    fix: "Wait until they have ended, or end them.",
  };
}

const EXPECTED: Readonly<Record<Insistence, (drainTimeoutMs: number) => string>> = {
  wait: (ms) => `none that would outlast drainTimeoutMs (${ms} ms)`,
  abort: () => "none that is open: none is to be waited for",
  kill: (ms) =>
    `none past the proxies that would outlast drainTimeoutMs (${ms} ms): only those of the proxies are ended`,
};

/**
 * Whether a transaction would still be there when the tables are to be locked, or is more than may be waited for. A reader
 * past the proxies is in the way of nothing but a lock for writing.
 */
function isInTheWay(
  { limits, openTransactions, fence }: GateContext,
  holder: LockHolder,
  proxied: ReadonlySet<string>,
): boolean {
  if (fence !== "lock" && !holder.writes && !proxied.has(holder.connectionId)) return false;
  const long = holder.seconds * 1000 > limits.drainTimeoutMs;
  switch (openTransactions) {
    case "wait":
      return long;
    case "abort":
      return long || holder.idle;
    case "kill":
      return long && !proxied.has(holder.connectionId);
  }
}

async function facts(context: GateContext, backend: string): Promise<ServerFacts | string> {
  try {
    // What comes through a proxy is drained, and may be ended; only with these does that make a difference.
    const asks = context.openTransactions === "kill" || context.fence !== "lock";
    const nonces = asks ? await registeredNonces(context.ports.store) : [];
    return await context.ports.home(backend).inspect(async (view) => ({
      uuid: await view.serverUuid(),
      holders: await view.holders(),
      proxied: new Set(asks ? await view.connectionsOf(nonces) : []),
      settings: await view.autoIncrementSettings(),
      standstill: await view.standstill(),
    }));
  } catch (error) {
    return `${backend}: ${messageOf(error)}`;
  }
}
