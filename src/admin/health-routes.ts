import type { FastifyInstance } from "fastify";
import { messageOf } from "../base/errors.ts";
import type { StoredDocuments } from "./stored-documents.ts";

/** One thing that must be so before traffic should come. */
export interface ReadyCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly observed: string;
}

/**
 * `/healthz` says that the process runs; `/readyz` that clients can be served: the store answers, there are rules, a
 * proxy lives, and every proxy that lives serves by the rules' generation. A controller that is away does not stop
 * clients, so it is shown and not required.
 */
export function addHealthRoutes(app: FastifyInstance, documents: StoredDocuments, version: string): void {
  app.get("/healthz", () => ({ format: 1, status: "ok", version }));
  app.get("/readyz", async (_, reply) => {
    const checks = await readyChecks(documents);
    const ready = checks.every((check) => check.ok);
    reply.code(ready ? 200 : 503);
    const leader = await documents.leader().catch(() => undefined);
    return { format: 1, ready, checks, controller: leader === undefined ? "none leads" : "leads" };
  });
}

async function readyChecks(documents: StoredDocuments): Promise<ReadyCheck[]> {
  try {
    const [rules, proxies] = await Promise.all([documents.rules(), documents.proxies()]);
    const living = proxies.filter((proxy) => proxy.alive);
    const late = living.filter((proxy) => proxy.generation !== rules?.generation);
    return [
      { name: "store", ok: true, observed: "answers" },
      { name: "rules", ok: rules !== undefined, observed: rules ? `generation ${rules.generation}` : "none yet" },
      { name: "proxies", ok: living.length > 0, observed: `${living.length} of ${proxies.length} live` },
      { name: "generation", ok: late.length === 0, observed: `${late.length} live proxies serve by other rules` },
    ];
  } catch (error) {
    return [{ name: "store", ok: false, observed: messageOf(error) }];
  }
}
