import { buildErr } from "../wire/err-packet.ts";
import { notSupported } from "./client-errors.ts";
import type { Session } from "./session.ts";
import { relayReply, routeFreely } from "./simple-commands.ts";
import type { Work } from "./work.ts";

/**
 * KILL of a session by the thread id that its client was greeted with. The backend of that greeting judges whether it
 * is allowed and does its part; then the statement is killed where it really is: on another backend, or in the
 * queue of a hold, where it goes unsent.
 */
export async function runKill(
  session: Session,
  id: number,
  what: "query" | "connection",
  payload: Buffer,
): Promise<void> {
  const victim = session.context.byThread.get(id);
  const at = victim?.backends.all.find(({ connection }) => connection.threadId === id)?.name;
  const work: Work = {
    kind: "kill",
    bytes: payload.length,
    timeLimitMs: 0,
    opens: false,
    readsInsertId: false,
    schema: () => undefined,
    route: () => ({ ...routeFreely(session), chooses: false, backend: at ?? session.context.traffic.rules.default }),
    prepare: () => undefined,
    send: (backend, lazyFlags) => relayReply(session, backend, payload, lazyFlags),
    after: async (_, end) => {
      if (victim === undefined || end.error !== undefined) return;
      if (what === "query" && victim.killHeld()) return;
      await killElsewhere(session, victim, what, at);
      if (what === "connection") victim.disconnect({ source: "proxy", reason: "killed" });
    },
  };
  if (session.state.transaction.backend !== undefined && at !== undefined && session.backends.get(at) === undefined) {
    const inside = "a KILL of a session of another server is not possible within a transaction";
    session.client.send(buildErr(notSupported(inside)));
    return;
  }
  await session.perform(work);
}

/** The victim's connections to the other backends, with the killer's own account there. */
async function killElsewhere(
  session: Session,
  victim: Session,
  what: "query" | "connection",
  except: string | undefined,
): Promise<void> {
  for (const { name, connection } of victim.backends.all) {
    const concerned = what === "connection" || victim.flight?.backend === name;
    if (name === except || !concerned) continue;
    const problem = await session.backends.open(
      name,
      () => session.applicant,
      () => session.shared(),
    );
    const killer = session.backends.get(name)?.connection;
    if (problem === undefined && killer !== undefined && killer !== connection) {
      await killer.query(`KILL ${what.toUpperCase()} ${connection.threadId}`);
    }
  }
}
