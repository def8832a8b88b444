import type { ErrorCode } from "../base/error-codes.ts";
import { SwitchyardError } from "../base/errors.ts";
import { type DocumentKind, readCurrent } from "./document-format.ts";

/** What stored documents are read by: each check says where it failed, in words for the operator. */
export class DocumentFields {
  readonly #name: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  /**
   * @param name of the document or of the part of it, for messages
   * @throws {SwitchyardError} `RULES_MALFORMED` if `value` is no object
   */
  constructor(name: string, value: unknown) {
    this.#name = name;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(name, "is no object");
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  text(field: string): string {
    const value = this.#fields[field];
    if (typeof value !== "string") throw malformed(`${this.#name}.${field}`, "is no text");
    return value;
  }

  /** A text that may be missing, under its name; nothing where it is. */
  optionalText<const Field extends string>(field: Field): { readonly [Name in Field]?: string } {
    return this.#fields[field] === undefined ? {} : ({ [field]: this.text(field) } as { [Name in Field]: string });
  }

  /** A {@link choice} that may be missing, under its name; nothing where it is. */
  optionalChoice<const Field extends string, const Word extends string>(
    field: Field,
    words: readonly Word[],
  ): { readonly [Name in Field]?: Word } {
    if (this.#fields[field] === undefined) return {};
    return { [field]: this.choice(field, words) } as { [Name in Field]: Word };
  }

  /** A {@link count} that may be missing, under its name; nothing where it is. */
  optionalCount<const Field extends string>(field: Field): { readonly [Name in Field]?: number } {
    return this.#fields[field] === undefined ? {} : ({ [field]: this.count(field) } as { [Name in Field]: number });
  }

  /** A count: a safe integer of at least 0. */
  count(field: string): number {
    const value = this.#fields[field];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw malformed(`${this.#name}.${field}`, "is no whole number of at least 0");
    }
    return value;
  }

  texts(field: string): string[] {
    return this.list(field, (value, path) => {
      if (typeof value !== "string") throw malformed(path, "is no text");
      return value;
    });
  }

  list<T>(field: string, read: (value: unknown, path: string) => T): T[] {
    const path = `${this.#name}.${field}`;
    const value = this.#fields[field];
    if (!Array.isArray(value)) throw malformed(path, "is no list");
    return value.map((item: unknown, index) => read(item, `${path}[${index}]`));
  }

  /** An object whose every value is read by `read`. A key that an object already has by nature is refused. */
  map<T>(field: string, read: (fields: DocumentFields) => T): Record<string, T> {
    const path = `${this.#name}.${field}`;
    const value = this.#fields[field];
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(path, "is no object");
    const result: Record<string, T> = {};
    for (const [key, item] of Object.entries(value)) {
      if (key === "__proto__") throw malformed(path, "has the key __proto__");
      result[key] = read(new DocumentFields(`${path}[${JSON.stringify(key)}]`, item));
    }
    return result;
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined;
  }

  /** An object whose every value is a list of texts. */
  mapOfTexts(field: string): Record<string, string[]> {
    const path = `${this.#name}.${field}`;
    const value = this.#fields[field];
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(path, "is no object");
    const fields = new DocumentFields(path, value);
    const keys = Object.keys(value);
    if (keys.includes("__proto__")) throw malformed(path, "has the key __proto__");
    return Object.fromEntries(keys.map((key) => [key, fields.texts(key)]));
  }

  /** One of a few words. */
  choice<const Word extends string>(field: string, words: readonly Word[]): Word {
    const value = this.text(field);
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw malformed(`${this.#name}.${field}`, `is none of ${words.join(", ")}`);
    return word;
  }
}

/** Reads the text of a stored document, see {@link readCurrent}. @throws {SwitchyardError} the codes of the kind */
export function readDocument(kind: DocumentKind, text: string): DocumentFields {
  return new DocumentFields(kind.name, readCurrent(kind, kind.name, text));
}

function malformed(path: string, why: string): SwitchyardError {
  return fail("RULES_MALFORMED", `${path} ${why}`, {
    fix: "The store holds something that this program did not write; restore the key from a backup of the store.",
  });
}

function fail(code: ErrorCode, what: string, more: { readonly fix: string }): SwitchyardError {
  return new SwitchyardError(code, { what, changed: "Nothing was changed.", ...more });
}
