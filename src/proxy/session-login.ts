import { within } from "../base/deadline.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import { buildAuthMoreData, CACHING_SHA2 } from "../wire/auth-packets.ts";
import { buildErr, type ErrPacket } from "../wire/err-packet.ts";
import { frame } from "../wire/packet-writer.ts";
import { type DialedBackend, dialBackend, loginBackend, type TurnedAway } from "./backend-login.ts";
import type { ClientConnection } from "./client-connection.ts";
import {
  accessDenied,
  backendUnreachable,
  loginTooSlow,
  malformedPacket,
  methodNotRelayed,
  notSupported,
  tooManyOfUser,
} from "./client-errors.ts";
import { type Applicant, greetClient } from "./client-login.ts";
import type { Disconnect } from "./disconnect.ts";
import { learnServer } from "./learn-server.ts";
import { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";

const ACCESS_DENIED = 1045;

/** Either a session, or who ended the login and why; the client was then told. */
export type LoginOutcome = { readonly session: Session } | { readonly ended: Disconnect };

/**
 * Makes a session of a client that has just connected: dials the default backend, greets in its name, learns the
 * password and proves it there. Nothing of the proxy's own decides who may come in.
 */
export async function logIn(context: SessionContext, client: ClientConnection): Promise<LoginOutcome> {
  let dialed: DialedBackend | undefined;
  let made: Session | undefined;
  let awaited = "backend" as "backend" | "client";
  const work = (async (): Promise<LoginOutcome> => {
    const name = context.traffic.rules.default;
    const address = context.backends[name];
    if (address === undefined)
      return turnAway(client, notSupported(`the default backend "${name}" is not configured`), "internal");
    const answer = await dialBackend(address, context.limits.connectTimeoutMs);
    if ("refused" in answer) return passOn(client, answer);
    dialed = answer;
    const outcome = await converse(context, client, dialed, (whom) => {
      awaited = whom;
    });
    if (!("session" in outcome)) return outcome;
    made = outcome.session;
    await learnServer(context, made);
    return outcome;
  })();
  try {
    return await within(work, context.limits.loginTimeoutMs, "the login of a client");
  } catch (error) {
    dialed?.link.end("the client's login failed");
    if (made !== undefined) discard(made);
    void work.then(
      (late) => "session" in late && late.session !== made && discard(late.session),
      () => undefined,
    );
    if (isSwitchyardError(error, "PROXY_BACKEND_UNREACHABLE", "PROXY_BACKEND_LOST")) {
      context.log.warn({ error: messageOf(error) }, "a client could not be served");
      return turnAway(client, backendUnreachable(context.traffic.rules.default), "unreachable");
    }
    context.log.info({ client: client.remote, error: messageOf(error) }, "the login of a client failed");
    if (isSwitchyardError(error, "TIMEOUT")) {
      const late = awaited === "client" ? loginTooSlow() : backendUnreachable(context.traffic.rules.default);
      return turnAway(client, late, "timeout", awaited);
    }
    if (isSwitchyardError(error, "MYSQL_AUTH_METHOD_UNKNOWN")) return turnAway(client, methodNotRelayed(), "login");
    const broken = isSwitchyardError(error, "WIRE_MALFORMED", "WIRE_UNEXPECTED_PACKET", "WIRE_PACKET_TOO_LARGE");
    return turnAway(client, malformedPacket(), broken ? "protocol" : "login");
  }
}

async function converse(
  context: SessionContext,
  client: ClientConnection,
  dialed: DialedBackend,
  awaits: (whom: "backend" | "client") => void,
): Promise<LoginOutcome> {
  awaits("client");
  const applicant = await greetClient(client, dialed.greeting, context);
  awaits("backend");
  if (applicant === undefined) {
    dialed.link.end("the client left during its login");
    return { ended: { source: "client", reason: "login" } };
  }
  if ("unproven" in applicant) {
    dialed.link.end("the client's password could not be read");
    return turnAway(client, accessDenied(applicant.unproven, client.remote, applicant.withPassword), "login");
  }
  if ("refused" in applicant) {
    dialed.link.end("the client's compression is not offered");
    return turnAway(client, applicant.refused, "login");
  }
  const { user, database } = applicant.response;
  const wanted = database === undefined || database.length === 0 ? undefined : database;
  const { bootNonce, limits } = context;
  const wishes = { bootNonce, database: wanted, timeoutMs: limits.loginTimeoutMs };
  const login = await loginBackend(dialed, applicant, wishes);
  if ("refused" in login) {
    if (login.refused.errno === ACCESS_DENIED && applicant.fast) context.passwords.forget(user);
    return turnAway(client, login.refused, "login");
  }
  context.passwords.keep(user, applicant.password);
  if (client.isGone) {
    login.connection.destroy("the client left during its login");
    return { ended: { source: "client", reason: "login" } };
  }
  const name = user.toString("utf8");
  if (!context.userSessions.enter(name, context.limits.sessionsPerUserMax)) {
    await login.connection.quit();
    return turnAway(client, tooManyOfUser(name), "limit", "proxy");
  }
  admit(client, applicant, login.ok);
  if (applicant.compression !== undefined) client.compress(applicant.compression);
  const session = new Session(context, client, applicant, login);
  client.acceptCommands(context.limits.commandBytesMax);
  context.account(session.user, login.connection.localAddress);
  return { session };
}

function admit(client: ClientConnection, applicant: Applicant, ok: Buffer): void {
  const sequence = client.nextSequence;
  if (!applicant.fast) client.write(frame(ok, sequence));
  else {
    const fast = buildAuthMoreData(Buffer.from([CACHING_SHA2.FAST_AUTH_OK]));
    client.write(Buffer.concat([frame(fast, sequence), frame(ok, (sequence + 1) & 0xff)]));
  }
}

function discard(session: Session): void {
  session.backends.destroy("the client's login failed");
  session.uncount();
}

/** The server has said something else than a greeting; the client hears it as the server said it. */
function passOn(client: ClientConnection, { packet }: TurnedAway): LoginOutcome {
  if (!client.isGone) client.send(packet, 0);
  client.end();
  return { ended: { source: "backend", reason: "login" } };
}

function turnAway(
  client: ClientConnection,
  error: ErrPacket,
  reason: Disconnect["reason"],
  source: Disconnect["source"] = reason === "protocol" ? "client" : reason === "internal" ? "proxy" : "backend",
): LoginOutcome {
  if (!client.isGone) client.send(buildErr(error));
  client.end();
  return { ended: { source, reason } };
}
