import { isIP } from "node:net";
import { z } from "zod";
import type { ListenAddress } from "./config.ts";
import { LIMITS, type LimitName, type LimitSpec } from "./limits.ts";

/** Numbers may come from `${ENV}` and are then text. */
function numeric(value: unknown): unknown {
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value;
}

function number(spec: { min: number; max: number; whole: boolean }, expected: string): z.ZodType<number> {
  const base = z.number(expected).min(spec.min, expected).max(spec.max, expected);
  return z.preprocess(numeric, spec.whole ? base.int(expected) : base);
}

const text = (expected: string): z.ZodString => z.string(expected).min(1, expected);
const port = number({ min: 1, max: 65_535, whole: true }, "a TCP port from 1 to 65535");
const NAME = /^[a-z][a-z0-9-]{0,39}$/;

const listen = z.string('an address like "127.0.0.1:3306"').transform((value, context): ListenAddress => {
  const parsed = parseListen(value);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: 'an address like "127.0.0.1:3306" or "[::]:3306"' });
  return z.NEVER;
});

/** `host:port`, with an IPv6 address in brackets. */
function parseListen(value: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(value.trim());
  const host = match?.[1] ?? match?.[2];
  const portNumber = Number(match?.[3]);
  return host === undefined || portNumber > 65_535 ? undefined : { host, port: portNumber };
}

const ALGORITHMS = ["zlib", "zstd", "uncompressed"] as const;
const COMPRESSION_LIST = `a list of ${ALGORITHMS.join(", ")}, each at most once`;

const compression = z
  .array(z.enum(ALGORITHMS, COMPRESSION_LIST), COMPRESSION_LIST)
  .min(1, COMPRESSION_LIST)
  .max(ALGORITHMS.length, COMPRESSION_LIST)
  .refine((words) => new Set(words).size === words.length, COMPRESSION_LIST);

const MODES = ["disabled", "preferred", "required", "verify_ca", "verify_identity"] as const;

const backend = z.strictObject(
  {
    host: text("a host name or address"),
    port: port.default(3306),
    user: text("the name of Switchyard's account on this server"),
    password: z.string(`the account's password; "\${NAME}" takes it from the environment`),
    tls: z
      .strictObject(
        {
          mode: z.enum(MODES, `one of ${MODES.join(", ")}`).default("preferred"),
          ca: text("the path of a PEM file").optional(),
          cert: text("the path of a PEM file").optional(),
          key: text("the path of a PEM file").optional(),
        },
        "a mapping with mode, ca, cert and key",
      )
      .default({ mode: "preferred" }),
    compression: compression.default(["uncompressed"]),
    zstdLevel: number({ min: 1, max: 22, whole: true }, "a level of zstd from 1 to 22").default(3),
  },
  "a mapping with host, port, user, password, tls, compression and zstdLevel",
);

const token = z.strictObject(
  {
    name: text("the name of whoever holds the token"),
    role: z.enum(["read", "operate"], "read or operate"),
    sha256: z
      .string("the SHA-256 of the token in hexadecimal")
      .regex(/^[0-9a-f]{64}$/i, "the SHA-256 of the token: 64 hexadecimal digits (`printf %s TOKEN | sha256sum`)"),
  },
  "a mapping with name, role and sha256",
);

const user = z.strictObject(
  {
    name: text("the name of a MySQL account"),
    password: z.string(`its password; "\${NAME}" takes it from the environment`),
  },
  "a mapping with name and password",
);

const NETWORK = 'a network such as "10.0.0.0/8", or an address';
const network = z.string(NETWORK).refine(isNetwork, NETWORK);

function isNetwork(value: string): boolean {
  const [address = "", prefix, ...more] = value.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

const keyPair = { cert: text("the path of a PEM file"), key: text("the path of a PEM file") };

const admin = z.strictObject(
  {
    listen: listen.default({ host: "127.0.0.1", port: 9930 }),
    tokens: z.array(token, "a list of tokens").max(100, "at most 100 tokens").default([]),
    tls: z.strictObject(keyPair, "a mapping with cert and key").optional(),
    insecure: z.boolean("true or false").default(false),
  },
  "a mapping with listen, tokens, tls and insecure",
);

const limits = z.strictObject(
  Object.fromEntries(
    Object.entries(LIMITS).map(([name, spec]: [string, LimitSpec]) => {
      const expected = `a number from ${spec.min} to ${spec.max}`;
      return [name, number({ ...spec, whole: Number.isInteger(spec.min) }, expected).default(spec.default)];
    }),
  ) as unknown as Record<LimitName, z.ZodDefault<z.ZodType<number>>>,
  "a mapping of limits",
);

const etcd = z.strictObject(
  {
    etcd: z.strictObject(
      {
        endpoints: z
          .array(
            z
              .string('a URL like "http://etcd-1:2379"')
              .regex(
                /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]\s@]+):\d{1,5}$/,
                'a URL like "http://etcd-1:2379", without a path',
              ),
            "a list of URLs",
          )
          .min(1, "at least one URL")
          .max(20, "at most 20 URLs"),
        prefix: z
          .string("the beginning of all keys, such as /switchyard")
          .regex(
            /^(\/[A-Za-z0-9._-]+)+$/,
            "the beginning of all keys, such as /switchyard: with / before each part and none at the end",
          )
          .max(200, "at most 200 characters")
          .default("/switchyard"),
        user: text("the name of Switchyard's user in etcd").optional(),
        password: z.string(`the user's password; "\${NAME}" takes it from the environment`).optional(),
        tls: z
          .strictObject(
            {
              ca: text("the path of a PEM file with the authorities to trust"),
              cert: text("the path of a PEM file").optional(),
              key: text("the path of a PEM file").optional(),
            },
            "a mapping with ca, cert and key",
          )
          .optional(),
      },
      "a mapping with endpoints, prefix, user, password and tls",
    ),
  },
  "`embedded`, or `etcd` with its endpoints",
);

/** The configuration as it is written; what its parts say about each other is checked afterwards. */
export const configSchema = z.strictObject(
  {
    listen: listen.default({ host: "127.0.0.1", port: 3306 }),
    admin: admin.prefault({}),
    store: z
      .union([z.literal("embedded"), etcd], "`embedded`, or `{ etcd: { endpoints: [...] } }`")
      .default("embedded"),
    dataDirectory: text("the path of a directory").optional(),
    backends: z.record(
      z.string().regex(NAME, "names of a lower-case letter and then letters, digits or -, at most 40"),
      backend,
      "a mapping from names to servers, for example `old: { host: db1, user: switchyard, password: … }`",
    ),
    default: text("the name of a backend"),
    limits: limits.prefault({}),
    workers: number({ min: 1, max: 64, whole: true }, "a number of processes from 1 to 64").default(1),
    tls: z
      .union(
        [z.literal("generated"), z.literal("disabled"), z.strictObject(keyPair)],
        "`generated`, `disabled`, or a mapping with cert and key",
      )
      .default("generated"),
    users: z.array(user, "a list of users").max(1000, "at most 1000 users").default([]),
    routeHints: z
      .strictObject(
        {
          users: z
            .array(z.string("a name").min(1, "a name"), "a list of names")
            .max(1000, "at most 1000 users")
            .default([]),
        },
        "a mapping with users",
      )
      .prefault({}),
    proxyProtocol: z
      .strictObject(
        { trusted: z.array(network, "a list of networks").max(100, "at most 100 networks").default([]) },
        "a mapping with trusted",
      )
      .prefault({}),
    compression: compression.default([...ALGORITHMS]),
    log: z
      .strictObject(
        {
          level: z.enum(["debug", "info", "warn", "error"], "debug, info, warn or error").default("info"),
          format: z.enum(["auto", "json", "pretty"], "auto, json or pretty").default("auto"),
        },
        "a mapping with level and format",
      )
      .prefault({}),
  },
  "a mapping; see the example in the README",
);

export type RawConfig = z.output<typeof configSchema>;
