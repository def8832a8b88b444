import { deadlineIn } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { storedFormat } from "../rules/document-format.ts";
import { PROXY_KIND } from "../rules/document-kinds.ts";
import { parseProxyDocument } from "../rules/proxy-codec.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX } from "../rules/store-keys.ts";
import type { Store, StoreEvent, Watch } from "../store/store.ts";
import type { SwitchPorts } from "./ports.ts";

/** A registered proxy worker, as one read of the store shows it. */
export interface RegisteredProxy {
  readonly document: ProxyDocument;
  readonly revision: number;
  /** Whether its lease stands. */
  readonly alive: boolean;
}

/** A registration that another version has written, older or newer. */
export interface OtherFormat {
  readonly id: string;
  readonly format: number;
}

/** The registrations that are not of the format that this version writes: what such a proxy does with rules is not known. */
export async function listOtherFormats(store: Store): Promise<readonly OtherFormat[]> {
  return (await store.list(PROXIES_PREFIX)).entries
    .map(({ key, value }) => ({ id: key.slice(PROXIES_PREFIX.length), format: storedFormat(PROXY_KIND, key, value) }))
    .filter(({ format }) => format !== PROXY_KIND.format);
}

/**
 * All registered proxies now. A proxy that joins later has loaded rules at least as new as this read.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXY_FORMAT`: no switch takes place while proxies of different formats live, not even
 *   where the other one could be read. `RULES_MALFORMED`.
 */
export async function listProxies(store: Store): Promise<readonly RegisteredProxy[]> {
  // Both at once, since clients may wait for the answer. What lives must not be the older of the two: a proxy that joined in
  // between is then not listed yet, rather than listed as dead.
  const [registered, first] = await Promise.all([store.list(PROXIES_PREFIX), store.list(ALIVE_PREFIX)]);
  const alive = first.revision >= registered.revision ? first : await store.list(ALIVE_PREFIX);
  const living = new Set(alive.entries.map((entry) => entry.key.slice(ALIVE_PREFIX.length)));
  return registered.entries.map(({ key, value, revision }) => {
    const document = documentOf(key, value);
    return { document, revision, alive: living.has(document.id) };
  });
}

function documentOf(key: string, value: string): ProxyDocument {
  const format = storedFormat(PROXY_KIND, key, value);
  if (format !== PROXY_KIND.format) throw otherFormat(key.slice(PROXIES_PREFIX.length), format);
  return parseProxyDocument(value, key);
}

/** Boot nonces of the registered proxies of this format, by which servers know their connections. */
export async function registeredNonces(store: Store): Promise<readonly string[]> {
  return (await store.list(PROXIES_PREFIX)).entries
    .filter(({ key, value }) => storedFormat(PROXY_KIND, key, value) === PROXY_KIND.format)
    .map(({ key, value }) => parseProxyDocument(value, key).bootNonce);
}

function otherFormat(id: string, format: number): SwitchyardError {
  return new SwitchyardError("CUTOVER_PROXY_FORMAT", {
    what: `proxy ${id} registers in format ${format}, and this version in ${PROXY_KIND.format}: one of both is of another version`,
    changed: "The rules were not switched.",
    fix: OTHER_FORMAT_FIX,
  });
}

/** What to do about {@link listOtherFormats}. */
export const OTHER_FORMAT_FIX =
  "Run one version of Switchyard everywhere: restart what is older. What has ended for good, the newer version forgets: `switchyard proxies forget <id>`.";

/** How long a change may go unseen if the store's watch is slow; the wait is for the watch, this is its safety net. */
const POLL_MS = 50;

/**
 * Waits for what the proxies say in the store.
 *
 * Who is registered, and who lives, only reads decide. What one that was read then says anew is taken from the watch, where
 * that is all that it has told since: a registration is newer if its revision is, and clients may wait for the word.
 */
export class ProxyView {
  readonly #ports: SwitchPorts;
  readonly #watches: Watch[] = [];
  #changed: Deferred<void> = deferred();
  /** Registrations that the watch has told of since the last read, by key; undefined where it told of more than those. */
  #news: Map<string, StoreEvent> | undefined;
  #last: readonly RegisteredProxy[] = [];

  private constructor(ports: SwitchPorts) {
    this.#ports = ports;
  }

  static async open(ports: SwitchPorts): Promise<ProxyView> {
    const view = new ProxyView(ports);
    const readAgain = (): void => {
      view.#news = undefined;
      view.#changed.resolve();
    };
    const hear = (events: readonly StoreEvent[]): void => {
      for (const event of events) {
        if (event.value === undefined) view.#news = undefined;
        else if ((view.#news?.get(event.key)?.revision ?? 0) < event.revision) view.#news?.set(event.key, event);
      }
      view.#changed.resolve();
    };
    view.#watches.push(await ports.store.watch(PROXIES_PREFIX, { reset: readAgain, change: hear }));
    view.#watches.push(await ports.store.watch(ALIVE_PREFIX, { reset: readAgain, change: readAgain }));
    return view;
  }

  /**
   * Looks at the proxies at each change until `look` returns something; `undefined` when `timeoutMs` passed first.
   *
   * Every proxy that was registered when a rule was written is in the first read after it, and that read fixes whom
   * `look` sees: a proxy that is missing later has left in order, and one that joins later has joined with the rule in
   * its hands.
   */
  async waitFor<T>(
    timeoutMs: number,
    look: (required: readonly RegisteredProxy[]) => Promise<T | undefined> | T | undefined,
  ): Promise<T | undefined> {
    const deadline = deadlineIn(this.#ports.clock, timeoutMs);
    let required: ReadonlySet<string> | undefined;
    for (;;) {
      this.#changed = deferred();
      const proxies = (required === undefined ? undefined : this.#told()) ?? (await this.#read());
      required ??= new Set(proxies.map((proxy) => proxy.document.id));
      const ids = required;
      const result = await look(proxies.filter((proxy) => ids.has(proxy.document.id)));
      if (result !== undefined) return result;
      if (deadline.passed) return undefined;
      await this.#nap(Math.min(POLL_MS, Math.max(1, deadline.leftMs())));
    }
  }

  async #read(): Promise<readonly RegisteredProxy[]> {
    this.#news = new Map();
    this.#last = await listProxies(this.#ports.store);
    return this.#last;
  }

  /** The proxies as read last, with what some of them have said since; undefined where only a read can tell. */
  #told(): readonly RegisteredProxy[] | undefined {
    if (this.#news === undefined || this.#news.size === 0) return undefined;
    const news = this.#news;
    this.#news = new Map();
    this.#last = this.#last.map((proxy) => {
      const event = news.get(PROXIES_PREFIX + proxy.document.id);
      if (event?.value === undefined || event.revision <= proxy.revision) return proxy;
      return { ...proxy, document: documentOf(event.key, event.value), revision: event.revision };
    });
    return this.#last;
  }

  async close(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.close().catch(() => undefined)));
  }

  async #nap(ms: number): Promise<void> {
    const over = new AbortController();
    const onStop = (): void => over.abort();
    this.#ports.signal.addEventListener("abort", onStop, { once: true });
    const slept = this.#ports.clock.sleep(ms, over.signal).catch(() => undefined);
    await Promise.race([this.#changed.promise, slept]);
    over.abort();
    this.#ports.signal.removeEventListener("abort", onStop);
    if (this.#ports.signal.aborted)
      throw new SwitchyardError("CANCELLED", { what: "the controller was asked to stop" });
  }
}
