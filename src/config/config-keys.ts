import { z } from "zod";
import { configSchema } from "./config-schema.ts";

/** One key of the configuration, as the schema has it. */
export interface ConfigKey {
  /** As in `config-about.ts`. */
  readonly path: string;
  readonly type: string;
  readonly bounds: string;
  readonly required: boolean;
  /** As it would be written; undefined where there is none. */
  readonly default: string | undefined;
}

interface SchemaNode {
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** The least that is a configuration: all else in what comes of it is a default. */
const LEAST = { backends: { name: { host: "h", user: "u", password: "p" } }, default: "name" };

/** Every key that may stand in a configuration, in the order of the schema; groups that only hold others are left out. */
export function configKeys(): readonly ConfigKey[] {
  const root = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as SchemaNode;
  const defaults: unknown = configSchema.parse(LEAST);
  return Object.entries(root.properties ?? {}).flatMap(([name, node]) =>
    walk(node, [name], root.required?.includes(name) === true, defaults),
  );
}

function walk(node: SchemaNode, path: readonly string[], required: boolean, defaults: unknown): ConfigKey[] {
  const below = children(node).flatMap(({ name, child, needed }) => walk(child, [...path, name], needed, defaults));
  const isGroup = node.anyOf === undefined && node.type === "object" && typeof node.additionalProperties !== "object";
  if (isGroup && required && below.length > 0) return below;
  const own = { path: pathText(path), type: typeOf(node), bounds: boundsOf(node), required };
  const isOptionalGroup = isGroup && valueAt(defaults, path) === undefined;
  if (isGroup && !isOptionalGroup) return below;
  return [{ ...own, default: isGroup || required ? undefined : written(valueAt(defaults, path)) }, ...below];
}

function children(node: SchemaNode): { readonly name: string; readonly child: SchemaNode; readonly needed: boolean }[] {
  const inside = node.anyOf?.flatMap(children) ?? [];
  const named = Object.entries(node.properties ?? {}).map(([name, child]) => {
    return { name, child, needed: node.required?.includes(name) === true };
  });
  const rest = typeof node.additionalProperties === "object" ? node.additionalProperties : undefined;
  return [
    ...inside,
    ...named,
    ...(rest?.properties === undefined ? [] : [{ name: "<name>", child: rest, needed: true }]),
    ...(node.items?.properties === undefined ? [] : [{ name: "[]", child: node.items, needed: true }]),
  ];
}

function pathText(path: readonly string[]): string {
  return path.join(".").replaceAll(".[]", "[]");
}

function typeOf(node: SchemaNode): string {
  if (node.const !== undefined) return node.const;
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (node.enum !== undefined) return node.enum.join(", ");
  if (node.type === "object") return "mapping";
  if (node.type === "array") return "list";
  if (node.type === "string") return "text";
  return node.type === "integer" ? "whole number" : (node.type ?? "text");
}

function boundsOf({ type, minimum, maximum, maxItems }: SchemaNode): string {
  if (type === "array" && maxItems !== undefined) return `at most ${maxItems}`;
  return minimum === undefined || maximum === undefined ? "" : `${minimum} to ${maximum}`;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  const steps = path.map((part) => (part === "<name>" ? "name" : part));
  return steps.reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], value);
}

function written(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const { host, port } = (value ?? {}) as { host?: unknown; port?: unknown };
  if (typeof host === "string" && port !== undefined) return `${host}:${String(port)}`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
