/** A place in the configuration: keys and indexes from the top. */
export type ConfigPath = readonly (string | number)[];

/** A text that names an environment variable which is not set. */
export interface MissingVariable {
  readonly path: ConfigPath;
  readonly name: string;
}

/**
 * Replaces `${NAME}` in every text of a parsed document by the environment variable NAME. `$${` stands for `${`.
 * A variable that is set to nothing counts as set.
 */
export function interpolate(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
): { readonly value: unknown; readonly missing: readonly MissingVariable[] } {
  const missing: MissingVariable[] = [];
  const walk = (node: unknown, path: ConfigPath): unknown => {
    if (typeof node === "string") return replace(node, env, (name) => missing.push({ path, name }));
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  return { value: walk(value, []), missing };
}

function replace(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  report: (name: string) => void,
): string {
  return text.replace(/\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, name: string | undefined) => {
    if (name === undefined) return "${";
    const found = env[name];
    if (found === undefined) report(name);
    return found ?? whole;
  });
}
