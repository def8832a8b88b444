import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";

/** A connection of a session has ended: what it alone knew is forgotten, and a session that needs it ends. */
export function backendClosed(session: Session, backend: SessionBackend, reason: string): void {
  const { state } = session;
  for (const statement of state.prepared.values()) statement.forget(backend.connection);
  for (const { on } of state.textPrepared.values()) on.delete(backend.connection);
  const needed = state.tiedTo(backend.name) ?? (session.flight?.backend === backend.name ? "a statement" : undefined);
  state.insertIdGoneWith(backend.name);
  if (session.leaving) return;
  if (needed !== undefined) loseWith(session, backend, reason);
  else if (backend.name === session.loginBackend && !backend.connection.timedOut)
    void outlive(session, backend, reason);
}

/**
 * The server of the greeting has closed a connection that nothing is lost with. Where it lives, somebody has ended the
 * session; where it is down, the next statement finds another connection, or an error that says that nothing was sent.
 */
async function outlive(session: Session, backend: SessionBackend, reason: string): Promise<void> {
  const { context, id } = session;
  if (await context.probe.lives(backend.name)) {
    if (!session.leaving) loseWith(session, backend, reason);
  } else context.log.info({ session: id, backend: backend.name }, "a session outlives its idle backend");
}

function loseWith(session: Session, backend: SessionBackend, reason: string): void {
  session.context.log.info({ session: session.id, backend: backend.name, reason }, "a session has lost its backend");
  // A statement in flight answers for itself: its client must be told.
  if (session.flight?.backend !== backend.name) session.disconnect({ source: "backend", reason: "lost" });
}
