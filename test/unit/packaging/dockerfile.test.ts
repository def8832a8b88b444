import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../../..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");

interface Copy {
  readonly stage: string;
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly to: string;
}

interface Stage {
  readonly name: string;
  readonly base: string;
  readonly lines: readonly string[];
}

const stages = parseStages(read("Dockerfile"));
const copies = stages.flatMap(copiesOf);

function parseStages(text: string): Stage[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  const found: { name: string; base: string; lines: string[] }[] = [];
  for (const line of lines) {
    const [, base = "", name = "last"] = /^FROM (\S+)(?: AS (\S+))?$/.exec(line) ?? [];
    if (base !== "") found.push({ name, base, lines: [] });
    else if (line !== "") found.at(-1)?.lines.push(line);
  }
  return found;
}

function copiesOf({ name, lines }: Stage): Copy[] {
  return lines.flatMap((line) => {
    const [, from, rest = ""] = /^COPY (?:--from=(\S+) )?(.+)$/.exec(line) ?? [];
    const paths = rest.split(" ").filter((path) => path !== "");
    return paths.length < 2 ? [] : [{ stage: name, from, sources: paths.slice(0, -1), to: paths.at(-1) ?? "" }];
  });
}

/** Everything is kept out but what a line with `!` lets in. */
function reachesBuild(path: string): boolean {
  const lines = read(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(lines[0]).toBe("*");
  return lines.some((line) => line.startsWith("!") && (path === line.slice(1) || path.startsWith(`${line.slice(1)}/`)));
}

describe("each path that the image is made of", () => {
  const given = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);
  const handedOn = copies.filter(({ from }) => from !== undefined);

  test.each(given.map((path) => [path]))(
    "%s is there in a clone, is no product of a build, and reaches the build",
    (path) => {
      expect(existsSync(join(root, path))).toBe(true);
      const ignored = read(".gitignore")
        .split("\n")
        .map((line) => line.replace(/\/$/, ""));
      expect(ignored).not.toContain(path.replace(/^\.\//, ""));
      expect(reachesBuild(path.replace(/^\.\//, ""))).toBe(true);
    },
  );

  test.each(handedOn.flatMap(({ from, sources }) => sources.map((path) => [path, from ?? ""])))(
    "%s is made by the stage %s before",
    (path, from) => {
      const stage = stages.find(({ name }) => name === from);
      const made = /^\/build\/([^/]+)$/.exec(path)?.[1] ?? "";
      const before = [stage, stages.find(({ name }) => name === stage?.base)].flatMap((one) => one?.lines ?? []);
      const how: Readonly<Record<string, RegExp>> = {
        node_modules: /^RUN npm ci /,
        dist: /^RUN .*tsc -p tsconfig\.build\.json --outDir dist$/,
        "package.json": /^COPY package\.json /,
      };
      expect(before.some((line) => how[made]?.test(line))).toBe(true);
    },
  );

  test("lets in nothing that is not copied: secrets beside the sources stay out", () => {
    const allowed = [...read(".dockerignore").matchAll(/^!(.+)$/gm)].map(([, path]) => path ?? "");
    expect(allowed.filter((path) => !given.includes(path) && !given.includes(`./${path}`))).toEqual([]);
  });

  test("are all that the compiler's configuration names", () => {
    const build = JSON.parse(read("tsconfig.build.json")) as { extends: string; include: readonly string[] };
    for (const path of [build.extends.replace("./", ""), ...build.include]) expect(given).toContain(path);
  });
});

describe("the image", () => {
  const last = stages.at(-1)?.lines ?? [];

  test("runs the compiled program without root, with packages for production alone", () => {
    expect(last).toContain("USER node");
    expect(last).toContain('ENTRYPOINT ["node", "dist/main.js"]');
    expect(copies.filter(({ stage, sources }) => stage === "last" && sources.includes("/build/node_modules"))).toEqual([
      expect.objectContaining({ from: "packages" }),
    ]);
    const packages = stages.find(({ name }) => name === "packages")?.lines ?? [];
    expect(packages.filter((line) => line.startsWith("RUN"))).toEqual(["RUN npm ci --omit=dev --ignore-scripts"]);
  });

  test("is stopped by the signal that drains, and asked whether it is ready", () => {
    expect(last).toContain("STOPSIGNAL SIGTERM");
    expect(last.find((line) => line.startsWith("HEALTHCHECK"))).toContain("/readyz");
  });

  test("has the Node that package.json asks for, and no secret", () => {
    const { engines } = JSON.parse(read("package.json")) as { engines: { node: string } };
    const bases = stages.map(({ base }) => base).filter((base) => !stages.some(({ name }) => name === base));
    expect(new Set(bases)).toEqual(new Set(["node:24-slim"]));
    expect(engines.node).toBe(">=24");
    expect(read("Dockerfile")).not.toMatch(/^(ARG|ENV) .*(PASSWORD|TOKEN|SECRET|KEY)/m);
  });
});
