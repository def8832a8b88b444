import { createServer, type Server, type Socket } from "node:net";
import { messageOf } from "../base/errors.ts";
import { buildErr, type ErrPacket } from "../wire/err-packet.ts";
import { ClientBacklog, ReadAhead } from "./client-backlog.ts";
import { ClientConnection } from "./client-connection.ts";
import { shuttingDown, tooManyLogins, tooManySessions } from "./client-errors.ts";
import { learnOrigin } from "./client-origin.ts";
import type { Disconnect } from "./disconnect.ts";
import { listenAt } from "./listen-at.ts";
import type { ProxyWorkerConfig } from "./proxy-config.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";
import { type LoginOutcome, logIn } from "./session-login.ts";

/** Where clients come in, by a port of its own or handed over by another process, and everyone who came. */
export class Listener {
  readonly sessions = new Set<Session>();
  readonly #context: SessionContext;
  readonly #config: ProxyWorkerConfig;
  #server: Server | undefined;
  readonly #clients = new Set<ClientConnection>();
  readonly #ahead: ReadAhead;
  readonly #ended = new Set<Promise<void>>();
  #closing = false;
  /** Clients that have not logged in. */
  #pending = 0;

  constructor(context: SessionContext, config: ProxyWorkerConfig) {
    this.#context = context;
    this.#config = config;
    this.#ahead = new ReadAhead(context.limits.readAheadBytesMax);
  }

  /** Answers the port; 0 where clients are handed over. @throws {SwitchyardError} `PROXY_LISTEN_FAILED` */
  async listen(): Promise<number> {
    const { listen } = this.#config;
    if ("to" in listen) {
      listen.to((socket) => this.#accept(socket));
      return 0;
    }
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    const { port } = await listenAt(server, listen);
    server.on("error", (error) => this.#context.log.error({ error: error.message }, "a client was not accepted"));
    return port;
  }

  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    const server = this.#server;
    const stopped = server && new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of this.sessions) session.close();
    if (this.#ended.size > 0 && drainMs > 0) {
      await Promise.race([Promise.all(this.#ended), this.#context.clock.sleep(drainMs)]);
    }
    for (const session of this.sessions) session.disconnect({ source: "proxy", reason: "shutdown" }, shuttingDown());
    for (const client of this.#clients) client.end();
    await Promise.all(this.#ended);
    await stopped;
  }

  #accept(socket: Socket): void {
    const { limits, metrics } = this.#context;
    const client = new ClientConnection(socket, new ClientBacklog(limits.pipelineBytesMax, this.#ahead));
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      client.send(buildErr(refusal), 0);
      client.end();
      metrics.sessionClosed({ source: "proxy", reason: this.#closing ? "shutdown" : "limit" });
      return;
    }
    metrics.sessionOpened();
    this.#clients.add(client);
    const ended = this.#serve(client)
      .catch((error: unknown) => this.#context.log.error({ error: messageOf(error) }, "a session failed"))
      .finally(() => {
        client.end();
        this.#clients.delete(client);
        this.#ended.delete(ended);
      });
    this.#ended.add(ended);
  }

  #refusal(): ErrPacket | undefined {
    const { sessionsMax, loginsPendingMax } = this.#context.limits;
    if (this.#closing) return shuttingDown();
    if (this.#clients.size >= sessionsMax) return tooManySessions(sessionsMax);
    return this.#pending >= loginsPendingMax ? tooManyLogins(loginsPendingMax) : undefined;
  }

  /** Learns who is behind a load balancer. Answers how the connection has ended where that cannot be known. */
  async #misled(client: ClientConnection): Promise<{ readonly ended: Disconnect } | undefined> {
    const { trusted, log } = this.#context;
    if (!trusted.has(client.remote)) return undefined;
    try {
      if (await learnOrigin(client)) return undefined;
    } catch (error) {
      log.info({ client: client.remote, error: messageOf(error) }, "a client was turned away");
    }
    client.destroy();
    return { ended: { source: "client", reason: "protocol" } };
  }

  async #admit(client: ClientConnection): Promise<LoginOutcome> {
    return (await this.#misled(client)) ?? (await logIn(this.#context, client));
  }

  async #serve(client: ClientConnection): Promise<void> {
    const { metrics, log } = this.#context;
    this.#pending += 1;
    const outcome = await this.#admit(client).finally(() => {
      this.#pending -= 1;
    });
    if ("ended" in outcome) {
      metrics.sessionClosed(outcome.ended);
      const level = outcome.ended.source === "client" ? "debug" : "info";
      log[level]({ client: client.remote, ...outcome.ended }, "a login has ended without a session");
      return;
    }
    const { session } = outcome;
    this.sessions.add(session);
    if (this.#closing) session.close();
    const end = await session.run();
    this.sessions.delete(session);
    metrics.sessionClosed(end);
    const level = end.source === "client" ? "debug" : "info";
    log[level]({ session: session.id, source: end.source, reason: end.reason }, "a session has ended");
  }
}
