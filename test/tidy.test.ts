import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../src/base/error-codes.ts";
import { FAILPOINTS } from "../src/base/failpoints.ts";

const root = resolve(import.meta.dirname, "..");
const LINES_MAX = 600;
const CODE_FOLDERS = ["src", "test", "servers", "scripts", "demo", "bench"];

/** What must not be written, and what to write instead. This file names them all, so it is not looked into. */
const BANNED: readonly { readonly pattern: RegExp; readonly instead: string; readonly where?: RegExp }[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: "do it, or open an issue" },
  { pattern: /\.\.\/shared\b|\bDESIGN\.md\b|\bRULES\.md\b|\bSTYLE\.md\b|\bSERVERS\.md\b/, instead: "the fact itself" },
  { pattern: /\(R\d{1,2}(, ?R?\d{1,2})*\)|\brule R?\d{1,2}\b/, instead: "the rule itself, in words" },
  { pattern: /(^|[\s"'`(=])\/(work|tmp\/sy|root)\//, instead: "a path relative to the project, or os.tmpdir()" },
  { pattern: /§\s?\d/, instead: "the name of the section, or the fact itself" },
  { pattern: /\b(slave|whitelist|blacklist)\b/, instead: "replica; allowed; refused" },
  { pattern: /\bconst (src|dst)\b/, instead: "source, target", where: /\.ts$/ },
  { pattern: /@ts-(ignore|nocheck)/, instead: "types that hold", where: /\.ts$/ },
  {
    pattern: /\b(test|it|describe)\.(skip|todo|skipIf|runIf|only|fails)\b/,
    instead: "a test that runs",
    where: /\.ts$/,
  },
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const files = [
  ...CODE_FOLDERS.flatMap((folder) => filesBelow(folder, /\.(ts|mjs|sql)$/)),
  readSource("vitest.config.ts"),
];
const code = files.filter((file) => /\.(ts|mjs)$/.test(file.path));
const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
  .filter((path) => existsSync(join(root, path)))
  .map(readSource)
  .concat([...CODE_FOLDERS, "docs"].flatMap((folder) => filesBelow(folder, /\.md$/)));

describe("files", () => {
  test(`have ${LINES_MAX} lines at most`, () => {
    const long = code.filter((file) => file.text.split("\n").length > LINES_MAX).map((file) => file.path);
    expect(long).toEqual([]);
  });

  test("have names in kebab-case that say what they hold", () => {
    const odd = code.filter(({ path }) => {
      const name = path.split("/").at(-1) ?? "";
      return (
        !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.(ts|mjs)$/.test(name) || /^(index|utils?|helpers?|misc)\./.test(name)
      );
    });
    expect(odd.map((file) => file.path)).toEqual([]);
  });

  test("are free of what we do not write", () => {
    const found = [...files, ...documents].filter((file) => file.path !== "test/tidy.test.ts").flatMap(bannedLines);
    expect(found).toEqual([]);
  });

  test("are all used: each is an entry or imported from one", () => {
    const entries = code.filter(({ path }) => isEntry(path)).map((file) => file.path);
    const reached = reachable(entries);
    expect(code.map((file) => file.path).filter((path) => !reached.has(path))).toEqual([]);
  });
});

describe("the product", () => {
  test("has a README beside the code of every folder", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(
      folders.map((entry) => entry.name).filter((name) => !existsSync(join(root, "src", name, "README.md"))),
    ).toEqual([]);
  });

  test("uses every error code, and says of each what it means", () => {
    const catalogue = readSource("src/base/error-codes.ts").text;
    const others = sourceText("src/", "src/base/error-codes.ts");
    const codes = Object.keys(ERROR_CODES);
    expect(codes.filter((name) => !others.includes(`"${name}"`))).toEqual([]);
    expect(codes.filter((name) => !new RegExp(`\\*/\\s*${name}: \\{`).test(catalogue))).toEqual([]);
  });

  test("announces every failpoint", () => {
    const others = sourceText("src/", "src/base/failpoints.ts");
    expect(FAILPOINTS.filter((point) => !others.includes(`"${point}"`))).toEqual([]);
  });

  test("depends on no package that it does not import", () => {
    const manifest = JSON.parse(readSource("package.json").text) as { dependencies: Record<string, string> };
    const text = sourceText("src/");
    // pino names its pretty printer by text, in a transport.
    expect(Object.keys(manifest.dependencies).filter((name) => !text.includes(`"${name}`))).toEqual([]);
  });
});

describe("the lock file", () => {
  const { packages } = JSON.parse(readSource("package-lock.json").text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
  };

  // Where a registry lacks the packages of other platforms, npm leaves them out, and then refuses its own lock file.
  test("names the packages of every platform", () => {
    const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(wanted.filter((name) => packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });

  test("names no registry", () => {
    expect(Object.values(packages).filter((entry) => entry.resolved !== undefined)).toEqual([]);
  });
});

describe("documents", () => {
  test("link only to what is there", () => {
    const broken = documents.flatMap(({ path, text }) => {
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
      const local = targets
        .filter((target) => !/^([a-z]+:|#)/.test(target))
        .map((target) => target.split("#")[0] ?? "");
      return local.filter((to) => !existsSync(join(root, dirname(path), to))).map((to) => `${path} -> ${to}`);
    });
    expect(broken).toEqual([]);
  });

  test("tell what has changed: the changelog starts with what is not released", () => {
    const headings = [...readSource("CHANGELOG.md").text.matchAll(/^(##+) (.*)$/gm)].map((match) => match.slice(1, 3));
    expect(headings[0]).toEqual(["##", "Unreleased"]);
    const sections = headings.filter(([level]) => level === "###").map(([, title]) => title);
    expect(sections.filter((title) => !["Safety", "Features", "Fixes", "Internals"].includes(title ?? ""))).toEqual([]);
  });
});

describe("tests", () => {
  test("lie where a project of the runner finds them", () => {
    const known =
      /^test\/(unit|integration|simulation|soak)\/.+|^test\/(scenarios|clients)\/[^/]+$|^test\/tidy\.test\.ts$/;
    const lost = code.filter(({ path }) => path.endsWith(".test.ts") && !known.test(path));
    expect(lost.map((file) => file.path)).toEqual([]);
  });
});

function filesBelow(folder: string, kind: RegExp): SourceFile[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => kind.test(name) && statSync(join(root, folder, name)).isFile())
    .map((name) => readSource(`${folder}/${name.replaceAll("\\", "/")}`))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function readSource(path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

function sourceText(prefix: string, except?: string): string {
  const chosen = code.filter(({ path }) => path.startsWith(prefix) && path !== except);
  return chosen.map((file) => file.text).join("\n");
}

function bannedLines({ path, text }: SourceFile): string[] {
  return text.split("\n").flatMap((line, index) => {
    const hits = BANNED.filter(({ pattern, where }) => (where?.test(path) ?? true) && pattern.test(line));
    return hits.map((hit) => `${path}:${index + 1}: ${pattern(hit, line)} (write instead: ${hit.instead})`);
  });
}

function pattern(hit: { readonly pattern: RegExp }, line: string): string {
  return hit.pattern.exec(line)?.[0].trim() ?? "";
}

/** What is started by a person, by npm, by the test runner or by another process. */
function isEntry(path: string): boolean {
  if (/\.test\.ts$/.test(path) || path === "src/main.ts" || path === "test/support/plain-summary.ts") return true;
  if (path === "vitest.config.ts") return true;
  if (path === "test/clients/provide-clients.ts") return true;
  if (path === "test/support/provide-servers.ts" || /^scripts\/[^/]+\.mjs$/.test(path)) return true;
  // A program that a test, the demo or a bench starts is named in the code that starts it.
  const name = path.split("/").at(-1) ?? "";
  return (
    /^(test|demo|bench)\//.test(path) &&
    code.some((other) => other.path !== path && new RegExp(`["/]${name.replaceAll(".", "\\.")}"`).test(other.text))
  );
}

function reachable(entries: readonly string[]): Set<string> {
  const byPath = new Map(code.map((file) => [file.path, file.text]));
  const reached = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const match of (byPath.get(path) ?? "").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const to = relative(root, resolve(root, dirname(path), match[1] ?? ""));
      if (byPath.has(to)) queue.push(to);
    }
  }
  return reached;
}
