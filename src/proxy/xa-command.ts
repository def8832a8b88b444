import type { StatementFacts, XaStatement } from "../sql/statement.ts";
import { buildErr } from "../wire/err-packet.ts";
import { afterStatements, statementTraits } from "./query-command.ts";
import { withStatus } from "./reply-jobs.ts";
import type { Session } from "./session.ts";
import { relayReply, routeFreely } from "./simple-commands.ts";
import type { Work } from "./work.ts";

const UNKNOWN_XID = 1397;

/** The one statement of a text. */
interface Judged {
  readonly text: Buffer;
  readonly facts: readonly StatementFacts[];
}

/**
 * A statement about a distributed transaction. One that begins goes, like BEGIN, to the home of the first table that it
 * uses; one that was prepared is ended where it lies, whichever session has prepared it. Answers whether it was one that
 * is followed; else nothing was done.
 */
export async function runXa(session: Session, payload: Buffer, judged: Judged): Promise<boolean> {
  const [{ xa } = {}] = judged.facts;
  if (xa === undefined) return false;
  if (xa.action === "recover") {
    await recover(session, payload, judged);
    return true;
  }
  const { transaction, pins } = session.state;
  if (xa.action === "start" && transaction.isNone && pins.size === 0) {
    if (session.state.routing.homes.length < 2) return false;
    return beginLazily(session, judged.text);
  }
  const ends = xa.action === "commit" || xa.action === "rollback";
  if (ends && transaction.isNone) await endWhereItLies(session, payload, judged, xa);
  else await session.perform(xaWork(session, payload, judged));
  return true;
}

function beginLazily(session: Session, text: Buffer): boolean {
  const { state } = session;
  if (!state.settings.allowsLazy) return false;
  state.transaction.beginXa(Buffer.from(text));
  session.answerOk("begun");
  return true;
}

/** Goes where the transaction is open. One that has used no table is begun now, wherever that is. */
function xaWork(session: Session, payload: Buffer, { text, facts }: Judged): Work {
  const { state } = session;
  return {
    ...statementTraits(session, facts, text),
    text,
    opens: true,
    bytes: payload.length,
    schema: () => state.names.schema,
    route: () => ({ ...routeFreely(session), chooses: state.transaction.isLazy }),
    prepare: () => undefined,
    send: (backend, lazyFlags) => relayReply(session, backend, payload, lazyFlags),
    after: (backend, end) => afterStatements(session, { text, facts, backend, end }),
  };
}

/** Asks one home after the other where it is not known; one that does not know the transaction changes nothing. */
async function endWhereItLies(
  session: Session,
  payload: Buffer,
  judged: Judged,
  { xid = "" }: XaStatement,
): Promise<void> {
  const { xids } = session.context;
  const homes = homesToAsk(session, xids.at(xid));
  for (const [index, home] of homes.entries()) {
    let unknown = false;
    const work = xaWork(session, payload, judged);
    await session.perform({
      ...work,
      schema: () => undefined,
      route: () => ({ ...routeFreely(session), backend: home }),
      send: async (backend, lazyFlags) => {
        if (index === homes.length - 1) return await relayReply(session, backend, payload, lazyFlags);
        const answer = await backend.connection.own(payload);
        unknown = answer.error?.errno === UNKNOWN_XID;
        if (unknown) return { error: undefined, results: 0 };
        if (answer.error === undefined) session.answerOk();
        else session.client.send(buildErr(answer.error));
        return answer;
      },
      after: async (_backend, { error }) => {
        if (error === undefined && !unknown) xids.forget(xid);
      },
    });
    if (!unknown) return;
  }
}

/**
 * Every home, the likeliest first: where the transaction was prepared, then those where the session has a connection. A
 * login must wait for any hold, and the hold may be waiting for this very transaction.
 */
export function homesToAsk({ state, backends }: Session, known: string | undefined): readonly string[] {
  const isOpen = (home: string): boolean => backends.get(home) !== undefined;
  const { homes } = state.routing;
  const first = known === undefined ? [] : [known];
  return [...new Set([...first, ...homes.filter(isOpen), ...homes])];
}

/** XA RECOVER shows what lies at any home, as one result. */
async function recover(session: Session, payload: Buffer, judged: Judged): Promise<void> {
  const { homes } = session.state.routing;
  const found: Buffer[] = [];
  for (const [index, home] of homes.entries()) {
    const { after: _, ...work } = xaWork(session, payload, judged);
    const end = await session.perform({
      ...work,
      opens: false,
      route: () => ({ ...routeFreely(session), backend: home }),
      send: async ({ connection }, lazyFlags) => {
        if (index === homes.length - 1) {
          return await connection.relayEdited(payload, session.client, (kind, packet, ends) => {
            const shown = withStatus(packet, kind, lazyFlags);
            return kind === "eof" && ends ? [...found, shown] : shown;
          });
        }
        const answer = await connection.own(payload);
        found.push(...answer.rowPackets);
        if (answer.error !== undefined) session.client.send(buildErr(answer.error));
        return answer;
      },
    });
    if (end === undefined || end.error !== undefined) return;
  }
}
