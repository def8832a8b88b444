import { Etcd3 } from "etcd3";
import type { Clock } from "../base/clock.ts";
import { EtcdFailure, GRPC, toldFailure } from "./etcd-failure.ts";

/** How etcd is reached; PEM texts, not paths. `password` must never reach a log. */
export interface EtcdAccess {
  /** `http://host:port` or `https://host:port`, all of one kind. */
  readonly endpoints: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** Whom to trust, and who we are. Without it `https` trusts the authorities that Node knows. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

export type EtcdService = "KV" | "Lease" | "Watch" | "Auth";

/** What a stream tells; `ended` comes once and last, whoever ended it. */
export interface StreamEvents<Message> {
  message(message: Message): void;
  ended(why: string): void;
}

export interface EtcdStream {
  write(request: object): void;
  cancel(): void;
}

/** The parts of gRPC's objects that are used; etcd3 hands them out untyped. */
interface GrpcClient {
  waitForReady(deadline: number, done: (error?: Error) => void): void;
}
interface GrpcCall {
  cancel(): void;
}
interface GrpcStream<Message> extends GrpcCall {
  write(request: object): void;
  on(event: "data", listener: (message: Message) => void): void;
  on(event: "error", listener: () => void): void;
  on(event: "status", listener: (status: { readonly code: number; readonly details: string }) => void): void;
}
interface GrpcMetadata {
  set(name: string, value: string): void;
}
interface Connected {
  readonly client: GrpcClient;
  readonly metadata: GrpcMetadata;
}
type UnaryMethod = (
  request: object,
  metadata: GrpcMetadata,
  options: object,
  done: (error: { readonly code: number; readonly details: string } | null, answer: unknown) => void,
) => GrpcCall;

const NEVER = new AbortController().signal;
/** In place of etcd3's policies, which send a call again and keep calls back after others have failed. */
const ONCE = { execute: async (work: (context: { signal: AbortSignal }) => unknown) => await work({ signal: NEVER }) };

/** etcd hashes the password for this, on purpose slowly. */
const AUTHENTICATE_MS_MAX = 5000;

const CHANNEL = {
  // gRPC would send again what it believes was not processed.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // A proxy of the environment (`http_proxy`) is meant for the web: an etcd that is named is spoken to itself.
  "grpc.enable_http_proxy": 0,
  "grpc.max_receive_message_length": 64 * 1024 * 1024,
};

/** Opens the pool of connections that etcd3 keeps to itself. */
class Client extends Etcd3 {
  connect(service: EtcdService): Promise<Connected> {
    return this.pool.withConnection(service, (given) => given as unknown as Connected);
  }
}

/**
 * The connection to one etcd. Each call is sent at most once, but for one that etcd has refused because of its token:
 * that one was certainly not carried out.
 */
export class EtcdLink {
  readonly endpoint: string;
  readonly #access: EtcdAccess;
  readonly #clock: Clock;
  readonly #client: Client;
  #token: Promise<string> | undefined;

  constructor(endpoint: string, access: EtcdAccess, clock: Clock) {
    this.endpoint = endpoint;
    this.#access = access;
    this.#clock = clock;
    const { tls } = access;
    this.#client = new Client({
      hosts: endpoint,
      grpcOptions: CHANNEL,
      faultHandling: { global: ONCE as never, host: () => ONCE as never },
      ...(tls === undefined
        ? {}
        : {
            credentials: {
              rootCertificate: Buffer.from(tls.ca),
              ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
              ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
            },
          }),
    });
  }

  /** Waits until there is a connection. @throws {EtcdFailure} when there is none in time. */
  async connected(timeoutMs: number): Promise<void> {
    const { client } = await this.#client.connect("KV");
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined) resolve();
        else reject(new EtcdFailure(GRPC.unavailable, `no connection to ${this.endpoint} within ${timeoutMs} ms`));
      });
    });
  }

  /** Makes one call and waits for its answer. @throws {EtcdFailure} */
  async call<Answer>(service: EtcdService, method: string, request: object, timeoutMs: number): Promise<Answer> {
    try {
      return await this.#once<Answer>(service, method, request, timeoutMs);
    } catch (error) {
      if (!this.#isTokenRefused(error)) throw error;
      this.#token = undefined;
      return await this.#once<Answer>(service, method, request, timeoutMs);
    }
  }

  /** Opens a stream. etcd ends it when it has no leader, so that a member cut off from the others is noticed. */
  async open<Message>(service: EtcdService, method: string, events: StreamEvents<Message>): Promise<EtcdStream> {
    const { client, metadata } = await this.#authenticated(service);
    metadata.set("hasleader", "true");
    const methods = client as unknown as Record<string, (metadata: GrpcMetadata) => GrpcStream<Message>>;
    const stream = methods[method]?.(metadata);
    if (stream === undefined) throw new EtcdFailure(GRPC.unimplemented, `etcd3 knows no ${service}.${method}`);
    stream.on("data", (message) => events.message(message));
    stream.on("error", () => undefined);
    stream.on("status", ({ code, details }) => {
      if (code === GRPC.unauthenticated) this.#token = undefined;
      events.ended(`${this.endpoint}: ${details}`);
    });
    return { write: (request) => stream.write(request), cancel: () => stream.cancel() };
  }

  close(): void {
    this.#client.close();
  }

  async #once<Answer>(service: EtcdService, method: string, request: object, timeoutMs: number): Promise<Answer> {
    const given = await this.#authenticated(service);
    const send = (given.client as unknown as Record<string, UnaryMethod>)[method];
    if (send === undefined) throw new EtcdFailure(GRPC.unimplemented, `etcd3 knows no ${service}.${method}`);
    const answered = new AbortController();
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const call = send.call(given.client, request, given.metadata, {}, (error, answer) => {
          if (error === null) resolve(answer as Answer);
          else reject(toldFailure(error.code, error.details, this.endpoint));
        });
        const giveUp = (): void => {
          reject(new EtcdFailure(GRPC.deadlineExceeded, `${this.endpoint}: no answer in ${timeoutMs} ms`));
          call.cancel();
        };
        this.#clock.sleep(timeoutMs, answered.signal).then(giveUp, () => undefined);
      });
    } finally {
      answered.abort();
    }
  }

  async #authenticated(service: EtcdService): Promise<Connected> {
    const connected = await this.#client.connect(service);
    const { user } = this.#access;
    if (user === undefined || service === "Auth") return connected;
    this.#token ??= this.#authenticate(user);
    try {
      connected.metadata.set("token", await this.#token);
    } catch (error) {
      throw error instanceof EtcdFailure ? error.beforeSending() : error;
    }
    return connected;
  }

  #authenticate(name: string): Promise<string> {
    const request = { name, password: this.#access.password ?? "" };
    const asked = this.#once<{ readonly token: string }>("Auth", "authenticate", request, AUTHENTICATE_MS_MAX);
    const token = asked.then(({ token }) => token);
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  /** Tokens end with their time, with a restart of etcd, and with a change of accounts. */
  #isTokenRefused(error: unknown): boolean {
    if (this.#access.user === undefined || !(error instanceof EtcdFailure)) return false;
    return error.code === GRPC.unauthenticated && !error.unsent;
  }
}
