import { isNode, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { SwitchyardError } from "../base/errors.ts";
import type { ConfigPath } from "./interpolate.ts";
import { knownKeys, suggestKeys } from "./known-keys.ts";

/** One thing that is wrong, before it is put into words. */
export interface ConfigProblem {
  readonly path: ConfigPath;
  /** What is there; never said for secrets. */
  readonly found: string;
  readonly expected: string;
}

/** A YAML text together with the lines that its values came from. */
export interface ConfigText {
  readonly file: string;
  readonly value: unknown;
  lineOf(path: ConfigPath): number | undefined;
}

const SECRET_KEYS: readonly (string | number)[] = ["password", "sha256", "key"];
const FOUND_CHARACTERS_MAX = 60;

/** @throws {SwitchyardError} `CONFIG_INVALID` where the text is not YAML. */
export function parseConfigText(file: string, text: string): ConfigText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [first] = document.errors;
  if (first !== undefined) {
    const { line, col } = lines.linePos(first.pos[0]);
    throw new SwitchyardError("CONFIG_INVALID", {
      what: `${file} is not valid YAML at line ${line}, column ${col}: ${first.message}`,
      fix: "Mend the syntax; texts with : or # in them need quotes.",
    });
  }
  return {
    file,
    value: document.toJS({ maxAliasCount: 100 }),
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
      }
      return undefined;
    },
  };
}

/** What zod found, as problems. */
export function problemsOf(error: z.ZodError, value: unknown): ConfigProblem[] {
  return problemsOfIssues(error.issues, value, []);
}

function problemsOfIssues(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  above: readonly PropertyKey[],
): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    const whole = [...above, ...issue.path];
    const path = whole.filter((part) => typeof part !== "symbol");
    if (issue.code === "invalid_union") {
      const inside = meant(issue.errors);
      if (inside !== undefined) return problemsOfIssues(inside, value, whole);
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        found: "a key that does not exist here",
        expected: suggestKeys(key, knownKeys(path)),
      }));
    }
    if (issue.code === "invalid_key") {
      return [{ path, found: JSON.stringify(path.at(-1)), expected: issue.issues[0]?.message ?? issue.message }];
    }
    return [{ path, found: describe(at(value, path), path), expected: issue.message }];
  });
}

/** Of several things that may stand at a place, the one of which only parts are wrong. */
function meant(alternatives: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  return alternatives.find((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys"),
  );
}

/** The error that lists all problems with their lines. */
export function configInvalid(text: ConfigText, problems: readonly ConfigProblem[]): SwitchyardError {
  const details = problems.map(({ path, found, expected }) => {
    const line = text.lineOf(path);
    return `${path.join(".") || "the document"}${line === undefined ? "" : ` (line ${line})`}: found ${found}, expected ${expected}`;
  });
  return new SwitchyardError("CONFIG_INVALID", {
    what: `the configuration ${text.file} cannot be used`,
    details,
    changed: "Nothing was started.",
    fix: problems.length === 1 ? "Mend this entry." : `Mend these ${problems.length} entries.`,
  });
}

function at(value: unknown, path: ConfigPath): unknown {
  let node = value;
  for (const part of path) node = (node as Record<string | number, unknown> | null | undefined)?.[part];
  return node;
}

function describe(value: unknown, path: ConfigPath): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing";
  if (path.some((part) => SECRET_KEYS.includes(part))) return "something else (not shown)";
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "a mapping";
  const text = JSON.stringify(value);
  return text.length > FOUND_CHARACTERS_MAX ? `${text.slice(0, FOUND_CHARACTERS_MAX)}…` : text;
}
