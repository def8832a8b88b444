import type { FastifyInstance } from "fastify";
import { messageOf } from "../base/errors.ts";
import type { StoredDocuments } from "./stored-documents.ts";

/** One thing that must be so before traffic should come. */
export interface ReadyCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Whether it must be so: what passes by itself, or harms no client, is shown only. */
  readonly required: boolean;
  readonly observed: string;
}

/**
 * `/healthz` says that the process runs; `/readyz` that clients can be served: the store answers, there are rules, a
 * proxy lives. That proxies serve by older rules for a moment, or that no controller leads, stops no client: a balancer
 * must not turn away from a switch.
 */
export function addHealthRoutes(
  app: FastifyInstance,
  documents: StoredDocuments,
  process: { readonly version: string; readonly started: () => boolean },
): void {
  app.get("/healthz", () => ({ format: 1, status: "ok", version: process.version }));
  app.get("/readyz", async (_, reply) => {
    const started = process.started();
    const observed = started ? "have started" : "are starting";
    const checks = [{ name: "processes", required: true, ok: started, observed }, ...(await readyChecks(documents))];
    const ready = checks.every((check) => check.ok || !check.required);
    reply.code(ready ? 200 : 503);
    return { format: 1, ready, checks };
  });
}

async function readyChecks(documents: StoredDocuments): Promise<ReadyCheck[]> {
  try {
    const [rules, proxies, leader] = await Promise.all([documents.rules(), documents.proxies(), documents.leader()]);
    const living = proxies.filter((proxy) => proxy.alive);
    const late = living.filter((proxy) => proxy.generation !== rules?.generation).length;
    const check = (name: string, required: boolean, ok: boolean, observed: string): ReadyCheck => ({
      name,
      ok,
      required,
      observed,
    });
    return [
      check("store", true, true, "answers"),
      check("rules", true, rules !== undefined, rules ? `generation ${rules.generation}` : "none yet"),
      check("proxies", true, living.length > 0, `${living.length} of ${proxies.length} live`),
      check("generation", false, late === 0, `${late} live proxies serve by other rules`),
      check("controller", false, leader !== undefined, leader === undefined ? "none leads" : "leads"),
    ];
  } catch (error) {
    return [{ name: "store", ok: false, required: true, observed: messageOf(error) }];
  }
}
