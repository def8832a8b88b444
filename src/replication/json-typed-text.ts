import { SwitchyardError } from "../base/errors.ts";
import { COLUMN } from "../binlog/column-type.ts";
import type { JsonSqlType } from "../table/json-types.ts";
import {
  binaryValue,
  decimalValue,
  integerValue,
  jsonDocument,
  type SqlJson,
  temporalValue,
  withoutExpression,
} from "./json-expression.ts";

/** A value in the text of a document. */
interface Span {
  readonly from: number;
  readonly to: number;
  /** The values in it; of an object those of its members, in order. */
  readonly inside: readonly Span[];
  /** The members' names, of an object. */
  readonly keys: readonly string[] | undefined;
}

const OTHER_SCALAR = /[-+.0-9a-zA-Z]+/y;
const BINARY = /^base64:type(\d{1,3}):([A-Za-z0-9+/=\s]*)$/;

const TEMPORALS: Partial<Record<JsonSqlType, number>> = {
  DATE: COLUMN.DATE,
  TIME: COLUMN.TIME,
  DATETIME: COLUMN.DATETIME,
  TIMESTAMP: COLUMN.TIMESTAMP,
};

/**
 * An SQL expression that stores the document of which a server gave `text`, and for `types` what its text does not say
 * (`jsonTypesExpression`).
 *
 * @throws {SwitchyardError} `REPLICATION_VALUE_UNSUPPORTED` where text and types do not fit each other, or where no
 *   expression makes a value
 */
export function typedJsonLiteral(text: string, types: string): string {
  const root = new Spans(text).read();
  const typeOf = new Map<Span, JsonSqlType>();
  const byNumber = JSON.parse(types) as Readonly<Record<string, JsonSqlType>>;
  const counted = [...membersOf(root), root, ...elementsOf(root)];
  for (const [number, type] of Object.entries(byNumber)) {
    const span = counted[Number(number) - 1];
    if (span === undefined) throw misfit();
    typeOf.set(span, type);
  }
  return jsonDocument(sqlJson(text, root, typeOf));
}

function* membersOf(span: Span): Generator<Span> {
  if (span.keys !== undefined) yield* span.inside;
  for (const value of span.inside) yield* membersOf(value);
}

function* elementsOf(span: Span): Generator<Span> {
  if (span.keys === undefined) yield* span.inside;
  for (const value of span.inside) yield* elementsOf(value);
}

function sqlJson(text: string, span: Span, typeOf: ReadonlyMap<Span, JsonSqlType>): SqlJson {
  const type = typeOf.get(span);
  if (type !== undefined) return { kind: "value", sql: value(text.slice(span.from, span.to), type) };
  const inside = span.inside.map((one) => sqlJson(text, one, typeOf));
  if (inside.every(({ kind }) => kind === "text")) return { kind: "text", text: text.slice(span.from, span.to) };
  const { keys } = span;
  if (keys === undefined) return { kind: "array", elements: inside };
  return { kind: "object", members: inside.map((one, i) => [keys[i] ?? "", one]) };
}

function value(text: string, type: JsonSqlType): string {
  if (type === "INTEGER" || type === "UNSIGNED INTEGER") return integerValue(number(text), type !== "INTEGER");
  if (type === "DECIMAL") return decimalValue(number(text));
  const shown = string(text);
  const temporal = TEMPORALS[type];
  if (temporal !== undefined) {
    if (!/^[-0-9:. ]+$/.test(shown)) throw misfit();
    return temporalValue(temporal, shown);
  }
  const binary = BINARY.exec(shown);
  if (binary === null) throw withoutExpression(`${shown.length} characters of the type ${type}`);
  return binaryValue(Number(binary[1]), Buffer.from(binary[2] ?? "", "base64"));
}

function number(text: string): string {
  if (!/^-?\d+(?:\.\d+)?$/.test(text)) throw misfit();
  return text;
}

function string(text: string): string {
  const read: unknown = text.startsWith('"') ? JSON.parse(text) : undefined;
  if (typeof read !== "string") throw misfit();
  return read;
}

/** Finds the values of a text that a server has written: it is well formed, but numbers must stay as they are written. */
class Spans {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Span {
    const from = this.#at;
    const first = this.#text[from];
    if (first !== "{" && first !== "[") {
      if (first === '"') this.#string();
      else this.#scalar();
      return { from, to: this.#at, inside: [], keys: undefined };
    }
    const keys: string[] | undefined = first === "{" ? [] : undefined;
    const inside: Span[] = [];
    const end = first === "{" ? "}" : "]";
    this.#at += 1;
    while (this.#text[this.#at] !== end) {
      if (inside.length > 0) this.#pass(", ");
      if (keys !== undefined) {
        keys.push(string(this.#string()));
        this.#pass(": ");
      }
      inside.push(this.read());
    }
    this.#at += 1;
    return { from, to: this.#at, inside, keys };
  }

  /** Passes a string, quotes and all; by its quotes, as a pattern would not get over one of megabytes. */
  #string(): string {
    const from = this.#at;
    let quote = this.#text[from] === '"' ? from : -1;
    do {
      if (quote < 0) throw misfit();
      quote = this.#text.indexOf('"', quote + 1);
    } while (quote < 0 || isEscaped(this.#text, quote));
    this.#at = quote + 1;
    return this.#text.slice(from, this.#at);
  }

  #scalar(): void {
    OTHER_SCALAR.lastIndex = this.#at;
    if (!OTHER_SCALAR.test(this.#text)) throw misfit();
    this.#at = OTHER_SCALAR.lastIndex;
  }

  #pass(text: string): void {
    if (!this.#text.startsWith(text, this.#at)) throw misfit();
    this.#at += text.length;
  }
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (text[from - 1] === "\\") from -= 1;
  return (at - from) % 2 === 1;
}

function misfit(): SwitchyardError {
  return new SwitchyardError("REPLICATION_VALUE_UNSUPPORTED", {
    what: "the text of a JSON document and the types that its server gave for it do not fit each other",
    changed: "The row was not written; nothing of its transaction was kept.",
    fix: "Report this, with the document if you can: it is of a form that is not known.",
  });
}
