import type { StatementFacts } from "../sql/statement.ts";
import { statementOffset } from "../wire/query-attributes.ts";
import { payloadAsGreeted } from "./connection-id.ts";
import { computedId, killText, runKill } from "./kill-command.ts";
import { afterStatements, answerHere, routeText, statementTraits } from "./query-command.ts";
import type { Session } from "./session.ts";
import { relayReply } from "./simple-commands.ts";
import { runDynamic } from "./text-prepared.ts";
import type { Work } from "./work.ts";
import { runXa } from "./xa-command.ts";

/** COM_QUERY: one statement, or several that share a home. */
export async function runQuery(session: Session, payload: Buffer): Promise<void> {
  const text = payload.subarray(statementOffset(payload, session.applicant.capabilities));
  const { facts } = session.state.judge(text, session.state.names.schema);
  const [only] = facts;
  if (only !== undefined && facts.length === 1) {
    const { kill } = only;
    if (kill?.id !== undefined) {
      await runKill(session, kill.id, kill.what, payload);
      return;
    }
    const computed = kill === undefined ? undefined : await computedId(session, text);
    if (kill !== undefined && computed !== undefined) {
      await runKill(session, computed, kill.what, killText(session, kill.what, computed));
      return;
    }
    if (await answerHere(session, only)) return;
    if (only.xa !== undefined && (await runXa(session, payload, { text, facts }))) return;
    if (only.dynamic !== undefined && (await runDynamic(session, payload, only))) return;
  }
  await session.perform(queryWork(session, payload, text, facts));
}

export function queryWork(session: Session, payload: Buffer, text: Buffer, facts: readonly StatementFacts[]): Work {
  const asksForId = facts.length === 1 && facts[0]?.effects.includes("reads-connection-id") === true;
  const leaves = facts.length === 1 && facts[0]?.kind === "use";
  return {
    ...statementTraits(session, facts, text),
    text,
    bytes: payload.length,
    schema: () => (leaves ? undefined : session.state.names.schema),
    route: () => routeText(session, text, session.state.names.schema),
    prepare: () => undefined,
    send: (backend, lazyFlags) => {
      const sent = asksForId ? payloadAsGreeted(session, backend, payload, payload.length - text.length) : payload;
      return relayReply(session, backend, sent, lazyFlags);
    },
    after: (backend, end) => afterStatements(session, { text, facts, backend, end }),
  };
}
