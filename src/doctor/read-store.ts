import { messageOf } from "../base/errors.ts";
import { parseMigration } from "../cutover/journal.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { parseClaim } from "../rules/claim-document.ts";
import {
  type ControllerDocument,
  parseController,
  parseStreamClaim,
  type StreamClaim,
} from "../rules/controller-documents.ts";
import { readCurrent } from "../rules/document-format.ts";
import { kindAt, ORDER_KIND } from "../rules/document-kinds.ts";
import { parseProxyDocument } from "../rules/proxy-codec.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import { parseRules } from "../rules/rules-codec.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import {
  ALIVE_PREFIX,
  CLAIMS_PREFIX,
  CONTROLLERS_PREFIX,
  DIFFS_PREFIX,
  MIGRATIONS_PREFIX,
  ORDER_RECORDS_PREFIX,
  ORDERS_PREFIX,
  PROXIES_PREFIX,
  RULES_KEY,
  STREAMS_PREFIX,
} from "../rules/store-keys.ts";
import type { StoreEntry } from "../store/store.ts";
import type { Read, StoreFacts, TableClaim } from "./facts.ts";

/** What is kept of each entry while the facts are made. */
interface Collected {
  rules: Read<RulesDocument> | undefined;
  readonly migrations: Read<MigrationDocument>[];
  readonly claims: TableClaim[];
  readonly proxies: ProxyDocument[];
  readonly alive: string[];
  readonly controllers: ControllerDocument[];
  readonly runners: Record<string, StreamClaim>;
  readonly orders: OrderDocument[];
  readonly otherTraces: Set<string>;
}

/**
 * The store's facts from all of its entries, read as of one revision. What cannot be read is a fact as well: it never
 * throws.
 */
export function storeFacts(
  entries: readonly StoreEntry[],
  source: { readonly from: string; readonly live: boolean },
): StoreFacts {
  const collected: Collected = {
    rules: undefined,
    migrations: [],
    claims: [],
    proxies: [],
    alive: [],
    controllers: [],
    runners: {},
    orders: [],
    otherTraces: new Set(),
  };
  const unreadable: { key: string; why: string }[] = [];
  const unknownKeys: string[] = [];
  for (const entry of entries) {
    const kind = kindAt(entry.key);
    if (kind === undefined) {
      unknownKeys.push(entry.key);
      continue;
    }
    try {
      readCurrent(kind, entry.key, entry.value);
      collect(entry, collected);
    } catch (error) {
      unreadable.push({ key: entry.key, why: messageOf(error).split("\n")[0] ?? "" });
    }
  }
  return { ...source, ...collected, otherTraces: [...collected.otherTraces], unreadable, unknownKeys };
}

/** Puts one entry where it belongs. @throws {SwitchyardError} those of its kind */
function collect(entry: StoreEntry, to: Collected): void {
  const { key, value, revision } = entry;
  const below = (prefix: string): string | undefined => (key.startsWith(prefix) ? key.slice(prefix.length) : undefined);
  if (key === RULES_KEY) to.rules = { document: parseRules(value), revision };
  else if (below(MIGRATIONS_PREFIX) !== undefined) to.migrations.push({ document: readJournal(entry), revision });
  else if (below(CLAIMS_PREFIX) !== undefined) to.claims.push(readClaim(entry));
  else if (below(PROXIES_PREFIX) !== undefined) to.proxies.push(parseProxyDocument(value, key));
  else if (below(ALIVE_PREFIX) !== undefined) to.alive.push(key.slice(ALIVE_PREFIX.length));
  else if (below(CONTROLLERS_PREFIX) !== undefined) to.controllers.push(parseController(entry));
  else if (below(STREAMS_PREFIX) !== undefined) to.runners[key.slice(STREAMS_PREFIX.length)] = parseStreamClaim(entry);
  else if (below(ORDERS_PREFIX) !== undefined) {
    to.orders.push(readCurrent(ORDER_KIND, key, value) as unknown as OrderDocument);
  } else {
    const trace = below(ORDER_RECORDS_PREFIX)?.split("/")[0] ?? below(DIFFS_PREFIX);
    if (trace !== undefined && trace !== "") to.otherTraces.add(trace);
  }
}

/** A journal with all that the checks look into. */
function readJournal(entry: StoreEntry): MigrationDocument {
  const document = parseMigration(entry);
  const whole =
    Array.isArray(document.tables) &&
    typeof document.source === "string" &&
    typeof document.target === "string" &&
    typeof document.streams === "object";
  if (!whole || entry.key !== `${MIGRATIONS_PREFIX}${document.id}`) {
    throw new Error(`${entry.key} does not say what a journal says`);
  }
  return document;
}

function readClaim(entry: StoreEntry): TableClaim {
  const { migration } = parseClaim(entry);
  const [uuid = "", ...rest] = entry.key.slice(CLAIMS_PREFIX.length).split("/");
  return { key: entry.key, uuid, table: rest.join("/"), migration, revision: entry.revision };
}
