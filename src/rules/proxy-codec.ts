import { DocumentFields, readDocument } from "./document-fields.ts";
import { PROXY_KIND } from "./document-kinds.ts";
import { BLOCKED_KINDS, type BlockedSession, type ProxyDocument } from "./proxy-document.ts";

/**
 * Reads what a proxy worker has said of itself.
 *
 * @param key where it is stored, so that an error says which proxy it was
 * @throws {SwitchyardError} `RULES_MALFORMED`; `STORE_FORMAT_NEWER` if a later version of the program wrote it
 */
export function parseProxyDocument(text: string, key?: string): ProxyDocument {
  const fields = readDocument(
    key === undefined ? PROXY_KIND : { ...PROXY_KIND, name: `${PROXY_KIND.name} ${key}` },
    text,
  );
  return {
    format: 3,
    id: fields.text("id"),
    bootNonce: fields.text("bootNonce"),
    version: fields.text("version"),
    generation: fields.count("generation"),
    armed: fields.map("armed", (entry) => ({
      token: entry.text("token"),
      state: entry.choice("state", ["preparing", "ready"]),
      blocked: sessions(entry, "blocked"),
    })),
    holds: fields.map("holds", (entry) => ({
      token: entry.text("token"),
      state: entry.choice("state", ["holding", "drained"]),
      open: sessions(entry, "open"),
    })),
    seenTogether: fields.list("seenTogether", (set, path) => new DocumentFields(path, { set }).texts("set")),
    accounts: fields.texts("accounts"),
    servers: fields.map("servers", (entry) => ({ newest: entry.text("newest"), open: entry.texts("open") })),
  };
}

/** The text that {@link parseProxyDocument} reads. */
export function serializeProxyDocument(document: ProxyDocument): string {
  return JSON.stringify(document);
}

function sessions(entry: DocumentFields, field: string): BlockedSession[] {
  return entry.list(field, (value, path) => {
    const fields = new DocumentFields(path, value);
    return {
      ...fields.optionalChoice("kind", BLOCKED_KINDS),
      session: fields.text("session"),
      user: fields.text("user"),
      reason: fields.text("reason"),
      ...fields.optionalText("program"),
      ...fields.optionalText("address"),
      ...fields.optionalText("statement"),
      ...fields.optionalCount("forMs"),
    };
  });
}
