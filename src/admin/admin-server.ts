import type { Server as TlsServer } from "node:tls";
import { type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import type { Clock } from "../base/clock.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { AdminConfig } from "../config/config.ts";
import type { Store } from "../store/store.ts";
import { type Caller, identify } from "./admin-auth.ts";
import { errorAnswer } from "./admin-errors.ts";
import { addRoutes } from "./admin-routes.ts";
import { addHealthRoutes, type ReadyNeeds } from "./health-routes.ts";
import { OrderDesk } from "./order-desk.ts";
import { StoredDocuments } from "./stored-documents.ts";

export interface AdminOptions {
  readonly config: AdminConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  /** The text of one scrape over all processes. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Whether the processes around this API do what they are for; a proxy registers before it listens. */
  readonly started?: () => boolean;
  /** What `/readyz` asks for besides; `fleet` where left out. */
  readonly needs?: ReadyNeeds;
}

export interface AdminServer {
  /** Where it listens, as a URL. */
  readonly url: string;
  /** Puts other tokens in force, and another certificate where it serves by HTTPS. */
  reconfigure(config: AdminConfig): void;
  /** Answers whoever waits, then stops listening. */
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 90_000;
/** Asked by balancers and supervisors, which have no token. */
const OPEN_PATHS: readonly string[] = ["/healthz", "/readyz"];

/**
 * Starts the admin HTTP API.
 *
 * @throws {SwitchyardError} `ADMIN_LISTEN_FAILED`
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { log } = options;
  let { config } = options;
  const limits = { bodyLimit: BODY_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS, forceCloseConnections: true };
  const app = (config.tls === undefined
    ? fastify(limits)
    : fastify({ ...limits, https: { ...config.tls } })) as unknown as FastifyInstance;
  const closing = new AbortController();
  const callers = new WeakMap<FastifyRequest, Caller>();
  const callerOf = (request: FastifyRequest): Caller => callers.get(request) ?? identify(config, request.headers);
  const documents = new StoredDocuments(options.store);

  // JSON alone: a form of a foreign web page cannot send it without asking first.
  app.removeContentTypeParser("text/plain");
  app.addHook("onRequest", async (request) => {
    if (!OPEN_PATHS.includes(request.url)) callers.set(request, identify(config, request.headers));
  });
  app.setErrorHandler(async (error, request, reply) => {
    const answer = errorAnswer(error);
    const fields = { method: request.method, url: request.url, status: answer.status, error: messageOf(error) };
    if (isSwitchyardError(error) || answer.status < 500) log.info(fields, "admin request refused");
    else log.error({ ...fields, stack: (error as Error).stack }, "admin request failed");
    await reply.code(answer.status).send(answer.body);
  });
  app.setNotFoundHandler((request) => {
    throw new SwitchyardError("ADMIN_NOT_FOUND", { what: `there is no ${request.method} ${request.url}` });
  });

  app.get("/metrics", async (_, reply) => {
    const { contentType, text } = await options.metrics();
    await reply.header("content-type", contentType).send(text);
  });
  const { version, started = () => true, needs = "fleet" } = options;
  addHealthRoutes(app, documents, { version, started, needs });
  addRoutes(app, {
    documents,
    desk: new OrderDesk(options.store, documents, options.clock),
    callerOf,
    closing: closing.signal,
  });

  const url = await listen(app, config);
  return {
    url,
    reconfigure(next) {
      const { listen: _, tls, ...rest } = next;
      config = { ...config, ...rest, ...(config.tls === undefined || tls === undefined ? {} : { tls }) };
      if (config.tls !== undefined) (app.server as unknown as TlsServer).setSecureContext(config.tls);
    },
    async close() {
      closing.abort();
      await app.close();
    },
  };
}

async function listen(app: FastifyInstance, { listen: { host, port } }: AdminConfig): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const inUse = (error as { code?: unknown }).code === "EADDRINUSE";
    throw new SwitchyardError("ADMIN_LISTEN_FAILED", {
      what: `the admin API cannot listen on ${host}:${port}: ${inUse ? "the address is in use" : messageOf(error)}`,
      changed: "Nothing was changed.",
      fix: inUse
        ? "Stop the process that listens there, or choose another address with `admin: { listen: … }`."
        : "Choose an address of this machine with `admin: { listen: … }`.",
      cause: error,
    });
  }
}
