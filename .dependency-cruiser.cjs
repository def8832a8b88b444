// The layers: a folder may import from folders of lower layers only, never from a sibling of its own layer.
const LAYERS = [
  ["base"],
  ["gtid", "wire", "sql", "config", "metrics"],
  ["binlog", "table"],
  ["mysql", "store"],
  ["rules"],
  ["proxy", "replication", "diff", "cutover", "preflight", "throttle"],
  ["doctor"],
  ["controller", "admin", "cli"],
  // The wiring of the processes that `serve` consists of.
  ["serve"],
];

/** Folders without I/O and without packages, and what they may take from Node. */
const PURE = ["base", "gtid", "wire", "sql", "binlog", "table"];
const PURE_NODE = "^(node:)?(crypto|zlib|buffer|util)$";

/** Packages that belong to one place. */
const HOMES = {
  zod: ["config", "admin"],
  yaml: ["config", "cli"],
  "prom-client": ["metrics"],
  mysql2: ["mysql"],
  fastify: ["admin"],
  commander: ["cli"],
  etcd3: ["store"],
};

const layerRules = LAYERS.flatMap((folders, level) =>
  folders.map((folder) => {
    const allowed = [folder, ...LAYERS.slice(0, level).flat()].join("|");
    return {
      name: `${folder}-imports-downwards`,
      severity: "error",
      comment: `src/${folder} is on layer ${level}: it may import from itself and from lower layers only`,
      from: { path: `^src/${folder}/` },
      to: { path: "^src/", pathNot: `^src/(${allowed})/` },
    };
  }),
);

const homeRules = Object.entries(HOMES).map(([name, folders]) => ({
  name: `${name}-has-one-home`,
  severity: "error",
  comment: `${name} is used in src/${folders.join(", src/")} (and main.ts) only`,
  from: { path: "^src/", pathNot: `^src/(main\\.ts$|(${folders.join("|")})/)` },
  to: { path: `node_modules/${name}/` },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    ...homeRules,
    {
      name: "every-folder-has-a-layer",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(main\\.ts$|(${LAYERS.flat().join("|")})/)` },
      to: {},
    },
    {
      name: "pure-folders-use-no-package",
      severity: "error",
      from: { path: `^src/(${PURE.join("|")})/` },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "pure-folders-do-no-io",
      severity: "error",
      from: { path: `^src/(${PURE.join("|")})/` },
      to: { dependencyTypes: ["core"], pathNot: PURE_NODE },
    },
    { name: "nothing-imports-main", severity: "error", from: {}, to: { path: "^src/main\\.ts$" } },
    // A cycle of types alone does not exist when the program runs.
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-packages-for-development",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
    { name: "everything-resolves", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
