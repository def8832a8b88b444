import type { FastifyInstance } from "fastify";
import { within } from "../base/deadline.ts";
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
 * What must be so besides the processes around the API doing what they are for: `fleet` asks that clients can be served,
 * `store` that the store answers. A proxy needs neither: it serves its clients while the store is away, and a balancer
 * must not turn away from it then.
 */
export type ReadyNeeds = "fleet" | "store" | "processes";

const NEEDED: Readonly<Record<ReadyNeeds, readonly string[]>> = {
  fleet: ["store", "rules", "proxies"],
  store: ["store"],
  processes: [],
};

/**
 * `/healthz` says that the process runs; `/readyz` that it can do what it is for. That proxies serve by older rules for a
 * moment, or that no controller leads, stops no client: a balancer must not turn away from a switch.
 */
export function addHealthRoutes(
  app: FastifyInstance,
  documents: StoredDocuments,
  process: { readonly version: string; readonly started: () => boolean; readonly needs: ReadyNeeds },
): void {
  app.get("/healthz", () => ({ format: 1, status: "ok", version: process.version }));
  app.get("/readyz", async (_, reply) => {
    const started = process.started();
    const observed = started ? "do what they are for" : "are starting, stopping or have failed";
    const stored = await within(readyChecks(documents), STORE_LOOK_MS_MAX, "asking the store").catch(storeAway);
    const checks: ReadyCheck[] = [
      { name: "processes", required: true, ok: started, observed },
      ...stored.map((check) => ({
        ...check,
        required: NEEDED[process.needs].includes(check.name),
      })),
    ];
    const ready = checks.every((check) => check.ok || !check.required);
    reply.code(ready ? 200 : 503);
    return { format: 1, ready, checks };
  });
}

type Observed = Omit<ReadyCheck, "required">;

/** Whoever asks whether we are ready does not wait long for the answer. */
const STORE_LOOK_MS_MAX = 1000;

async function readyChecks(documents: StoredDocuments): Promise<Observed[]> {
  try {
    const [rules, proxies, leader] = await Promise.all([documents.rules(), documents.proxies(), documents.leader()]);
    const living = proxies.filter((proxy) => proxy.alive);
    const late = living.filter((proxy) => proxy.generation !== rules?.generation).length;
    const check = (name: string, ok: boolean, observed: string): Observed => ({ name, ok, observed });
    return [
      check("store", true, "answers"),
      check("rules", rules !== undefined, rules ? `generation ${rules.generation}` : "none yet"),
      check("proxies", living.length > 0, `${living.length} of ${proxies.length} live`),
      check("generation", late === 0, `${late} live proxies serve by other rules`),
      check("controller", leader !== undefined, leader === undefined ? "none leads" : "leads"),
    ];
  } catch (error) {
    return storeAway(error);
  }
}

function storeAway(error: unknown): Observed[] {
  return [{ name: "store", ok: false, observed: messageOf(error) }];
}
