import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const ANSWER_MS_MAX = 15_000;
const WAIT_MS = 5_000;
const AGAIN_MS = 100;

/** What an order for a move came to. `unknown`: nobody said within the time, or it ended in an error of another kind. */
export interface MoveOutcome {
  readonly outcome: "switched" | "rehearsed" | "aborted" | "refused" | "unknown";
  /** From giving the order to its answer. */
  readonly tookMs: number;
  /** From the hold to the swap, and each step in order; where switched. */
  readonly pauseMs?: number;
  readonly steps: readonly { readonly step: string; readonly tookMs: number }[];
  /** Writes that it says reached the old home behind its back. */
  readonly strays: readonly unknown[];
  /** What was said, where it did not switch. */
  readonly text: string;
}

export interface MoveOptions {
  /** All but the change of home. */
  readonly rehearse?: boolean;
}

interface Order {
  readonly state: "pending" | "running" | "done" | "failed";
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly message: string; readonly exit: number };
}

const OUTCOME_BY_EXIT: Readonly<Record<number, MoveOutcome["outcome"]>> = { 3: "refused", 4: "aborted" };

/** Gives orders by the admin API, to whichever process answers; one that goes away meanwhile is replaced by another. */
export class Orders {
  readonly #ports: readonly number[];

  constructor(adminPorts: readonly number[]) {
    this.#ports = adminPorts;
  }

  /** A page of whichever process gives it; undefined where none does. */
  async get(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    for (const port of this.#ports) {
      const answer = await ask(port, path);
      if (answer?.status === 200) return answer.page;
    }
    return undefined;
  }

  /** Switches or rolls back, and tells how it ended. Whatever happens meanwhile, the order is given once. */
  async move(
    kind: "switch" | "rollback",
    migration: string,
    { withinMs, ...options }: MoveOptions & { readonly withinMs: number },
  ): Promise<MoveOutcome> {
    const startedMs = performance.now();
    const tookMs = (): number => performance.now() - startedMs;
    const id = `soak-${randomUUID()}`;
    const deadlineMs = startedMs + withinMs;
    const placed = await this.#place(`/v1/migrations/${migration}/${kind}`, { ...options, order: id }, deadlineMs);
    if (typeof placed === "string")
      return { outcome: "unknown", tookMs: tookMs(), steps: [], strays: [], text: placed };
    const ended = await this.#follow(id, placed, deadlineMs);
    if (ended?.state === "done") {
      const { outcome: said, pauseMs, steps = [], strays = [] } = (ended.result ?? {}) as Partial<MoveOutcome>;
      const outcome = said === "rehearsed" ? said : "switched";
      return { outcome, tookMs: tookMs(), ...(pauseMs === undefined ? {} : { pauseMs }), steps, strays, text: "" };
    }
    const { exit = -1, code = "", message = "nobody says how the order has ended" } = ended?.error ?? {};
    const outcome = OUTCOME_BY_EXIT[exit] ?? "unknown";
    return { outcome, tookMs: tookMs(), steps: [], strays: [], text: `${code} ${message}` };
  }

  /** Gives an order and waits for its end. @throws {Error} with what was said where it failed. */
  async done(path: string, body: object, withinMs: number): Promise<void> {
    const id = `soak-${randomUUID()}`;
    const deadlineMs = performance.now() + withinMs;
    const placed = await this.#place(path, { ...body, order: id }, deadlineMs);
    const order = typeof placed === "string" ? undefined : await this.#follow(id, placed, deadlineMs);
    if (order?.state === "done") return;
    throw new Error(`${path}: ${typeof placed === "string" ? placed : (order?.error?.message ?? "it has not ended")}`);
  }

  /** The revision under which the order lies in the store, or why it could not be placed. */
  async #place(path: string, body: object, deadlineMs: number): Promise<number | string> {
    let said = "no process answers";
    while (performance.now() < deadlineMs) {
      for (const port of this.#ports) {
        const answer = await ask(port, path, body);
        if (answer?.status === 202) return Number(answer.page["revision"]);
        if (answer !== undefined) said = JSON.stringify(answer.page);
      }
      await sleep(AGAIN_MS);
    }
    return said;
  }

  async #follow(id: string, revision: number, deadlineMs: number): Promise<Order | undefined> {
    let after = revision;
    while (performance.now() < deadlineMs) {
      for (const port of this.#ports) {
        const waitMs = Math.round(Math.max(1, Math.min(WAIT_MS, deadlineMs - performance.now())));
        const answer = await ask(port, `/v1/orders/${id}?waitMs=${waitMs}&after=${after}`);
        if (answer?.status !== 200) continue;
        const order = answer.page["order"] as Order;
        if (order.state === "done" || order.state === "failed") return order;
        after = Number(answer.page["revision"]);
        break;
      }
      await sleep(1);
    }
    return undefined;
  }
}

interface Answer {
  readonly status: number;
  readonly page: Readonly<Record<string, unknown>>;
}

async function ask(port: number, path: string, body?: object): Promise<Answer | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      ...(body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    return { status: answer.status, page: (await answer.json()) as Answer["page"] };
  } catch {
    return undefined;
  }
}
