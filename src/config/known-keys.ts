import { z } from "zod";
import { configSchema } from "./config-schema.ts";
import type { ConfigPath } from "./interpolate.ts";

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** The keys that may stand at a place of the configuration; empty where any may. */
export function knownKeys(path: ConfigPath): readonly string[] {
  const root = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as SchemaNode;
  let nodes: readonly SchemaNode[] = [root];
  for (const part of path) nodes = nodes.flatMap((node) => step(node, part));
  return nodes.flatMap(alternatives).flatMap((node) => Object.keys(node.properties ?? {}));
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(alternatives);
}

function step(node: SchemaNode, part: string | number): readonly SchemaNode[] {
  return alternatives(node).flatMap((one) => {
    const rest = typeof one.additionalProperties === "object" ? one.additionalProperties : undefined;
    const next = typeof part === "number" ? one.items : (one.properties?.[part] ?? rest);
    return next === undefined ? [] : [next];
  });
}

/** The keys that are allowed, led by the one that was probably meant. */
export function suggestKeys(key: string, known: readonly string[]): string {
  const [closest] = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const list = known.length > 0 ? `one of ${known.join(", ")}` : "no such key";
  return closest !== undefined && closest.distance <= 2 ? `${closest.name}, perhaps (${list})` : list;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
