import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import { type Caller, mustOperate } from "./admin-auth.ts";
import type { NewOrder, OrderDesk } from "./order-desk.ts";
import {
  ACTIONS,
  type Action,
  checked,
  checkedMigration,
  checkedProxy,
  createRequest,
  forgetRequest,
  orderQuery,
} from "./request-schemas.ts";
import type { StoredDocuments } from "./stored-documents.ts";

/** What the routes work on. */
export interface RouteContext {
  readonly documents: StoredDocuments;
  readonly desk: OrderDesk;
  readonly callerOf: (request: FastifyRequest) => Caller;
  /** Aborts when the server closes: whoever waits is answered. */
  readonly closing: AbortSignal;
}

/** Requests that may wait for orders at once. */
const WAITING_MAX = 200;

/** Everything below `/v1`. */
export function addRoutes(app: FastifyInstance, context: RouteContext): void {
  addLookingRoutes(app, context);
  addOrderRoutes(app, context);
  addFollowRoute(app, context);
}

function addLookingRoutes(app: FastifyInstance, { documents }: RouteContext): void {
  app.get("/v1/migrations", async () => {
    const migrations = await documents.migrations();
    const shown = migrations.map(async ({ history: _, ...migration }) => ({
      ...migration,
      controller: await documents.runBy(migration.id),
      status: await documents.status(migration.id),
    }));
    return { format: 1, migrations: await Promise.all(shown) };
  });
  app.get("/v1/migrations/:id", async (request) => {
    const id = migrationOf(request);
    const { history: _, ...migration } = await documents.migration(id);
    const [controller, status, diff] = await Promise.all([
      documents.runBy(id),
      documents.status(id),
      documents.diff(id),
    ]);
    return { format: 1, migration, controller, status, diff };
  });
  app.get("/v1/migrations/:id/history", async (request) => {
    const id = migrationOf(request);
    const orders = await documents.orderRecords(id);
    // A migration that was refused has no journal; that somebody asked for it is known all the same.
    const history = await documents.migration(id).then(
      (migration) => migration.history,
      (error: unknown) => {
        if (orders.length === 0 || !isSwitchyardError(error, "MIGRATION_NOT_FOUND")) throw error;
        return [];
      },
    );
    return { format: 1, migration: id, history, orders };
  });
  app.get("/v1/migrations/:id/diff", async (request) => {
    const id = migrationOf(request);
    const { diffs } = await documents.migration(id);
    return { format: 1, migration: id, diffs, report: await documents.diff(id), status: await documents.status(id) };
  });
  app.get("/v1/rules", async () => ({ format: 1, rules: await documents.rules() }));
  app.get("/v1/store", async () => ({ format: 1, entries: await documents.everything() }));
  app.get("/v1/proxies", async () => ({ format: 1, proxies: await documents.proxies() }));
  app.get("/v1/sessions", async () => ({ format: 1, sessions: await documents.sessions() }));
}

function addOrderRoutes(app: FastifyInstance, context: RouteContext): void {
  app.post("/v1/migrations", async (request, reply) => {
    mustOperate(context.callerOf(request));
    const { id, order, reason, ...options } = checked(createRequest, request.body);
    return await place(context, request, reply, {
      id: order,
      command: "migration-create",
      migration: id,
      options,
      reason,
    });
  });
  app.post("/v1/proxies/:id/forget", async (request, reply) => {
    mustOperate(context.callerOf(request));
    const proxy = checkedProxy((request.params as { id?: unknown }).id);
    const { order, reason } = checked(forgetRequest, request.body);
    const forget = { id: order, command: "proxy-forget", migration: "", options: { proxy }, reason } as const;
    return await place(context, request, reply, forget);
  });
  for (const name of Object.keys(ACTIONS) as Action[]) {
    const { command, schema } = ACTIONS[name];
    app.post(`/v1/migrations/:id/${name}`, async (request, reply) => {
      mustOperate(context.callerOf(request));
      const migration = migrationOf(request);
      const { order, reason, ...options } = checked(schema, request.body);
      await context.documents.migration(migration);
      return await place(context, request, reply, { id: order, command, migration, options, reason });
    });
  }
}

async function place(
  { desk, callerOf }: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  order: Omit<NewOrder, "who">,
): Promise<object> {
  const placed = await desk.place({ ...order, who: callerOf(request).name });
  reply.code(202);
  return { format: 1, ...placed };
}

function addFollowRoute(app: FastifyInstance, { desk, closing }: RouteContext): void {
  let waiting = 0;
  app.get("/v1/orders/:id", async (request, reply) => {
    const { waitMs, after } = checked(orderQuery, request.query);
    if (waiting >= WAITING_MAX) {
      throw new SwitchyardError("ADMIN_BUSY", { what: `${waiting} requests wait for orders already` });
    }
    const left = new AbortController();
    reply.raw.once("close", () => left.abort());
    waiting++;
    try {
      const id = String((request.params as { id: unknown }).id);
      return {
        format: 1,
        ...(await desk.follow(id, { waitMs, after, signal: AbortSignal.any([left.signal, closing]) })),
      };
    } finally {
      waiting--;
    }
  });
}

function migrationOf(request: FastifyRequest): string {
  return checkedMigration((request.params as { id?: unknown }).id);
}
