import { deadlineIn } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { storedFormat } from "../rules/document-format.ts";
import { PROXY_KIND } from "../rules/document-kinds.ts";
import { parseProxyDocument } from "../rules/proxy-codec.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX } from "../rules/store-keys.ts";
import type { Store, Watch } from "../store/store.ts";
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
  return registered.entries.map((entry) => {
    const format = storedFormat(PROXY_KIND, entry.key, entry.value);
    if (format !== PROXY_KIND.format) throw otherFormat(entry.key.slice(PROXIES_PREFIX.length), format);
    const document = parseProxyDocument(entry.value, entry.key);
    return { document, revision: entry.revision, alive: living.has(document.id) };
  });
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
 * Only reads decide; the watch merely says when to read again.
 */
export class ProxyView {
  readonly #ports: SwitchPorts;
  readonly #watches: Watch[] = [];
  #changed: Deferred<void> = deferred();

  private constructor(ports: SwitchPorts) {
    this.#ports = ports;
  }

  static async open(ports: SwitchPorts): Promise<ProxyView> {
    const view = new ProxyView(ports);
    const wake = (): void => view.#changed.resolve();
    for (const prefix of [PROXIES_PREFIX, ALIVE_PREFIX]) {
      view.#watches.push(await ports.store.watch(prefix, { reset: wake, change: wake }));
    }
    return view;
  }

  /**
   * Reads the proxies at each change until `look` returns something; `undefined` when `timeoutMs` passed first.
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
      const proxies = await listProxies(this.#ports.store);
      required ??= new Set(proxies.map((proxy) => proxy.document.id));
      const ids = required;
      const result = await look(proxies.filter((proxy) => ids.has(proxy.document.id)));
      if (result !== undefined) return result;
      if (deadline.passed) return undefined;
      await this.#nap(Math.min(POLL_MS, Math.max(1, deadline.leftMs())));
    }
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
