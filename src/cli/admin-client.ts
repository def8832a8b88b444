import type { Clock } from "../base/clock.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { newOrderId } from "../cutover/order-id.ts";
import { type HttpAnswer, httpRequest } from "./http-request.ts";
import { RemoteError } from "./remote-error.ts";

/** An order with the revision at which it was read. */
export interface ReadOrder {
  readonly order: OrderDocument;
  readonly revision: number;
}

export interface AdminClientOptions {
  readonly server: string;
  readonly token: string | undefined;
  /** PEM of the authorities to trust for `https`. */
  readonly ca?: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const REQUEST_TIMEOUT_MS = 90_000;
/** How long a request whose answer was lost is asked for again. */
const RETRY_MS = 20_000;
const RETRY_PAUSE_MS = 500;

/** The admin API of a running Switchyard process. */
export class AdminClient {
  readonly #base: URL;
  readonly #options: AdminClientOptions;

  /** @throws {SwitchyardError} `CLI_USAGE` where the address is none. */
  constructor(options: AdminClientOptions) {
    this.#options = options;
    this.#base = baseUrl(options.server);
  }

  /** @throws {RemoteError} and {SwitchyardError} `CLI_SERVER_UNREACHABLE`, `CLI_ANSWER_INVALID`, `CANCELLED` */
  async get<T>(path: string): Promise<T> {
    return (await this.#request("GET", path, undefined)) as T;
  }

  /**
   * Places an order. A lost answer is asked for again under the same order id, so nothing is ordered twice.
   *
   * @throws {SwitchyardError} `CLI_OUTCOME_UNKNOWN` when the order may or may not have been placed.
   */
  async order(path: string, body: Readonly<Record<string, unknown>>): Promise<ReadOrder> {
    const order = newOrderId(this.#options.clock.now());
    const send = async (): Promise<ReadOrder> => (await this.#request("POST", path, { ...body, order })) as ReadOrder;
    try {
      return await send();
    } catch (error) {
      if (!mayHaveArrived(error)) throw error;
      return await this.#again(send, order);
    }
  }

  /**
   * The order as soon as it is newer than `after`, or as it is after `waitMs`. A connection that is lost meanwhile is
   * made again: asking changes nothing.
   *
   * @throws {SwitchyardError} `CLI_OUTCOME_UNKNOWN` when the process stays away.
   */
  async follow(id: string, after: number, waitMs: number): Promise<ReadOrder> {
    const ask = (): Promise<ReadOrder> => this.get(`/v1/orders/${id}?waitMs=${waitMs}&after=${after}`);
    try {
      return await ask();
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      return await this.#again(ask, id);
    }
  }

  async #again<T>(send: () => Promise<T>, order: string): Promise<T> {
    const { clock, signal } = this.#options;
    const until = clock.monotonicMs() + RETRY_MS;
    for (;;) {
      await clock.sleep(RETRY_PAUSE_MS, signal);
      try {
        return await send();
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        if (clock.monotonicMs() >= until) throw outcomeUnknown(this.#base, order, error);
      }
    }
  }

  async #request(method: "GET" | "POST", path: string, body: object | undefined): Promise<unknown> {
    const { token, ca, signal } = this.#options;
    let answer: HttpAnswer;
    try {
      answer = await httpRequest({
        url: new URL(path.slice(1), this.#base),
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        ca,
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
    } catch (error) {
      if (signal.aborted) throw new SwitchyardError("CANCELLED", { what: "the command was interrupted", cause: error });
      throw unreachable(this.#base, error);
    }
    return readAnswer(this.#base, answer.status, answer.text);
  }
}

function baseUrl(server: string): URL {
  const text = /^https?:\/\//.test(server) ? server : `http://${server}`;
  if (!URL.canParse(text)) {
    throw new SwitchyardError("CLI_USAGE", {
      what: `"${server}" is not the address of an admin API`,
      fix: "Give one like http://127.0.0.1:9930 with --server or SWITCHYARD_SERVER.",
    });
  }
  return new URL(text.endsWith("/") ? text : `${text}/`);
}

function readAnswer(base: URL, status: number, text: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    throw notOurs(base, `HTTP ${status}, not JSON`, error);
  }
  const { format, error } = answer as { format?: unknown; error?: ConstructorParameters<typeof RemoteError>[0] };
  if (format !== 1) throw notOurs(base, `HTTP ${status}, format ${String(format)}`, undefined);
  if (error !== undefined) throw new RemoteError(error);
  return answer;
}

function notOurs(base: URL, observed: string, cause: unknown): SwitchyardError {
  return new SwitchyardError("CLI_ANSWER_INVALID", {
    what: `${base.origin} does not answer as a Switchyard of this version would: ${observed}`,
    fix: "Check --server and SWITCHYARD_SERVER, and that both sides run the same version.",
    cause,
  });
}

function unreachable(base: URL, cause: unknown): SwitchyardError {
  const code = String((cause as { code?: unknown }).code);
  return new SwitchyardError("CLI_SERVER_UNREACHABLE", {
    what: `no Switchyard process answers at ${base.origin}: ${messageOf(cause)}`,
    changed: "Nothing was changed.",
    fix: DISTRUST.test(code)
      ? "Name the authority of its certificate with --ca or SWITCHYARD_CA, and the server as the certificate does."
      : "Start `switchyard serve`, or name its admin address with --server or SWITCHYARD_SERVER.",
    cause,
  });
}

/** What Node says of a certificate that it does not believe. */
const DISTRUST = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_\w+)$/;

function outcomeUnknown(base: URL, order: string, cause: unknown): SwitchyardError {
  return new SwitchyardError("CLI_OUTCOME_UNKNOWN", {
    what: `${base.origin} has stopped answering, and what became of order ${order} is not known`,
    changed: "The order may or may not be carried out; it was not given twice.",
    fix: "When `switchyard serve` runs again, `switchyard migration status` and `migration history` tell.",
    cause,
  });
}

function isUnreachable(error: unknown): boolean {
  return error instanceof SwitchyardError && error.code === "CLI_SERVER_UNREACHABLE";
}

/** A connection that was refused, or not believed, carried nothing; after any other failure the request may have been read. */
function mayHaveArrived(error: unknown): boolean {
  if (!isUnreachable(error)) return false;
  const code = String(((error as Error).cause as { code?: unknown } | undefined)?.code);
  return !["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"].includes(code) && !DISTRUST.test(code);
}
