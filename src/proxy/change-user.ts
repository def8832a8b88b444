import { within } from "../base/deadline.ts";
import { isSwitchyardError } from "../base/errors.ts";
import { buildAuthMoreData, CACHING_SHA2 } from "../wire/auth-packets.ts";
import { type ChangeUser, parseChangeUser } from "../wire/change-user.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { buildOk } from "../wire/ok-packet.ts";
import { frame } from "../wire/packet-writer.ts";
import { accessDenied, backendLost, loginTooSlow, tooManyOfUser } from "./client-errors.ts";
import { type Applicant, askForPassword } from "./client-login.ts";
import { learnServer } from "./learn-server.ts";
import type { Session } from "./session.ts";

const ACCESS_DENIED = 1045;

/**
 * COM_CHANGE_USER: the session begins anew under another account, on the same connection and thread.
 *
 * The password is asked for as at a login, and proven at the backend that the client was greeted by, on the connection
 * that is there. The session's other connections are closed; they are made again, with the new account, when they are
 * needed. As with a server, a session whose change is refused ends with the server's own error.
 */
export async function changeUser(session: Session, payload: Buffer): Promise<void> {
  const { client, context } = session;
  const change = parseChangeUser(payload, session.applicant.capabilities);
  const asked = askForPassword(client, context, change, session.applicant);
  const shown = await within(asked, context.limits.loginTimeoutMs, "a change of user").catch((error: unknown) => {
    if (isSwitchyardError(error, "PROXY_BACKEND_LOST")) throw error;
    return "unanswered" as const;
  });
  if (shown === undefined) return;
  if (shown === "unanswered") return session.disconnect({ source: "client", reason: "timeout" }, loginTooSlow());
  if (shown === "undecipherable") {
    return session.disconnect({ source: "client", reason: "login" }, accessDenied(change.user, client.remote, true));
  }
  const applicant: Applicant = { ...session.applicant, response: responseAs(session.applicant, change), ...shown };
  if (context.userSessions.isFull(change.user.toString("utf8"), context.limits.sessionsPerUserMax)) {
    return session.disconnect({ source: "proxy", reason: "limit" }, tooManyOfUser(change.user.toString("utf8")));
  }
  const proven = await prove(session, applicant, change);
  if ("refused" in proven) {
    if (proven.refused.errno === ACCESS_DENIED && shown.fast) context.passwords.forget(change.user);
    return session.disconnect({ source: "backend", reason: "login" }, proven.refused);
  }
  context.passwords.keep(change.user, shown.password);
  await learnServer(context, session);
  const sequence = client.nextSequence;
  if (!shown.fast) client.write(frame(proven.ok, sequence));
  else {
    const fast = buildAuthMoreData(Buffer.from([CACHING_SHA2.FAST_AUTH_OK]));
    client.write(Buffer.concat([frame(fast, sequence), frame(proven.ok, (sequence + 1) & 0xff)]));
  }
}

type Proven = { readonly ok: Buffer } | { readonly refused: ErrPacket };

async function prove(session: Session, applicant: Applicant, change: ChangeUser): Promise<Proven> {
  const { context, backends } = session;
  const schema = change.database.length === 0 ? undefined : change.database.toString("utf8");
  const backend = backends.get(session.loginBackend);
  if (backend === undefined) return await proveAnew(session, applicant, schema);
  const { connection } = backend;
  const answer = await connection.changeUser(change, applicant.password, {
    switchyard_proxy: context.bootNonce,
    switchyard_client: applicant.remote,
  });
  if (answer.error !== undefined) return { refused: answer.error };
  session.becomes(applicant, schema);
  backend.settings = session.state.settings.serial;
  backend.schema = schema;
  backend.option = undefined;
  await backends.closeOthers(backend.name);
  session.startedAnew(connection.localAddress);
  return { ok: answer.ok };
}

/**
 * The connection had been closed by the server, for being idle: a login takes its place, when no hold is in force. A
 * client that has gone by then is not logged in.
 */
export async function proveAnew(session: Session, applicant: Applicant, schema: string | undefined): Promise<Proven> {
  const { backends, client, context, loginBackend } = session;
  session.becomes(applicant, schema);
  await backends.closeOthers(loginBackend);
  const left = new AbortController();
  void client.gone.then(() => left.abort());
  await context.traffic.holdFree(left.signal);
  if (client.isGone) return { refused: backendLost(loginBackend) };
  const problem = await backends.open(
    loginBackend,
    () => session.applicant,
    () => session.shared(),
  );
  if (problem !== undefined) return { refused: problem };
  const connection = backends.get(loginBackend)?.connection;
  if (connection === undefined) return { refused: backendLost(loginBackend) };
  session.startedAnew(connection.localAddress);
  const ok = { affectedRows: 0, lastInsertId: 0n, status: connection.status, warnings: 0, info: EMPTY, tracks: [] };
  return { ok: buildOk(ok, applicant.capabilities) };
}

const EMPTY = Buffer.alloc(0);

function responseAs({ response }: Applicant, change: ChangeUser): Applicant["response"] {
  const { database: _, ...rest } = response;
  return {
    ...rest,
    user: Buffer.from(change.user),
    ...(change.database.length === 0 ? {} : { database: Buffer.from(change.database) }),
    collation: change.collation,
    attributes: change.attributes.size === 0 ? rest.attributes : change.attributes,
  };
}
