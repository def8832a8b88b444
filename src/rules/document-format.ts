import type { ErrorCode } from "../base/error-codes.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Store, StoreEntry } from "../store/store.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A kind of document in the store: the format that this version writes, and how an older one becomes it. */
export interface DocumentKind {
  /** For messages. */
  readonly name: string;
  readonly format: number;
  /**
   * By the format that it reads: what makes a document of it one of the next format. A step is pure, and changes `format`
   * to the next. Formats without a step are not read any more.
   */
  readonly steps: Readonly<Record<number, (document: Fields) => Fields>>;
  /** What is thrown for a newer format, and for what nobody has written. */
  readonly codes: { readonly newer: ErrorCode; readonly malformed: ErrorCode };
}

/**
 * The document in the present format, whatever format it was stored in. Its format is looked at first, since a newer one
 * may mean anything.
 *
 * @throws {SwitchyardError} the codes of the kind
 */
export function readCurrent(kind: DocumentKind, name: string, text: string): Fields {
  let document = parse(kind, name, text);
  let format = document["format"] as number;
  if (format > kind.format) {
    throw new SwitchyardError(kind.codes.newer, {
      what: `${name} has format ${format}; this version reads up to ${kind.format}`,
      changed: "Nothing was changed.",
      fix: "Run a version of Switchyard that is at least as new as the one that wrote it.",
    });
  }
  while (format < kind.format) {
    const step = kind.steps[format];
    if (step === undefined) throw malformed(kind, `${name} has format ${format}, which no version has written`);
    document = step(document);
    format += 1;
    if (document["format"] !== format) {
      throw new SwitchyardError("INTERNAL_INVARIANT", { what: `a step of ${kind.name} does not lead to ${format}` });
    }
  }
  return document;
}

/** The format that a document was stored in. @throws {SwitchyardError} the kind's code for what nobody has written */
export function storedFormat(kind: DocumentKind, name: string, text: string): number {
  return parse(kind, name, text)["format"] as number;
}

/**
 * Writes every document below a prefix that is of an older format in the present one, each by one compare-and-swap. One
 * that somebody else has written meanwhile is looked at again. Gives how many it has written.
 *
 * @throws {SwitchyardError} the codes of the kind, and what the store throws
 */
export async function upgradeStored(store: Store, kind: DocumentKind, prefix: string): Promise<number> {
  let upgraded = 0;
  for (const entry of (await store.list(prefix)).entries) if (await upgradeOne(store, kind, entry)) upgraded += 1;
  return upgraded;
}

async function upgradeOne(store: Store, kind: DocumentKind, found: StoreEntry): Promise<boolean> {
  for (let entry: StoreEntry | undefined = found; entry !== undefined; entry = await store.get(found.key)) {
    const { key, value, revision } = entry;
    if (storedFormat(kind, key, value) === kind.format) return false;
    const document = JSON.stringify(readCurrent(kind, key, value));
    const { succeeded } = await store.transact([{ key, revision }], [{ put: key, value: document }]);
    if (succeeded) return true;
  }
  return false;
}

function parse(kind: DocumentKind, name: string, text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(kind, `${name} is no JSON: ${messageOf(cause)}`, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(kind, `${name} is no object`);
  const format = (value as Fields)["format"];
  if (typeof format !== "number" || !Number.isSafeInteger(format) || format < 0) {
    throw malformed(kind, `${name} names no format`);
  }
  return value as Fields;
}

function malformed(kind: DocumentKind, what: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError(kind.codes.malformed, {
    what,
    changed: "Nothing was changed.",
    fix: "The store holds something that no version of Switchyard has written; restore the key from a backup of the store.",
    ...(cause === undefined ? {} : { cause }),
  });
}
