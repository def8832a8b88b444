import { z } from "zod";
import { SwitchyardError } from "../base/errors.ts";
import { LIMITS } from "../config/limits.ts";
import type { ThrottleLimit } from "../cutover/migration-document.ts";
import type { OrderCommand } from "../cutover/order-document.ts";
import { FENCES } from "../cutover/switch-options.ts";
import { ON_DDL } from "../rules/on-ddl.ts";

const name = (what: string): z.ZodString =>
  z.string(what).regex(/^[a-z][a-z0-9-]{0,39}$/, `${what}: a lower-case letter, then letters, digits or -, at most 40`);

const reason = z.string("a text").max(500, "at most 500 characters").optional();

/** Chosen by the client, so that it can ask after an order whose answer was lost. */
const order = z
  .string("an order id")
  .regex(/^[a-z0-9-]{8,60}$/, "8 to 60 lower-case letters, digits or -")
  .optional();

const table = z
  .string("schema.table")
  .max(129, "at most 129 characters")
  .regex(/^[^.\0]+\.[^.\0]+$/, "schema.table, for example shop.orders");

const common = { order, reason };

const column = z.string("the name of a column").min(1, "the name of a column").max(64, "at most 64 characters");
const columns = z.array(column, "a list of columns").max(4096, "at most 4096 columns").optional();

/** In what a table of the target differs from the source's. */
const mapping = z.strictObject({
  rename: z.record(column, column, "names of the source, each with that of the target").optional(),
  add: columns,
  drop: columns,
  widen: columns,
  allowNarrowing: z.boolean("true or false").optional(),
});

/** The body of `POST /v1/migrations`. */
export const createRequest = z.strictObject({
  ...common,
  id: name("the migration's name"),
  from: name("the name of the source under `backends`"),
  to: name("the name of the target under `backends`"),
  tables: z.array(table, "a list of schema.table").min(1, "at least one table").max(1000, "at most 1000 tables"),
  readFrom: name("the name of a replica of the source under `backends`").optional(),
  mapping: z.record(table, mapping, "schema.table, each with in what its columns differ on the target").optional(),
  onDdl: z.enum(ON_DDL, "stop, apply or ignore").optional(),
});

const insistence = z.enum(["wait", "abort", "kill"], "wait, abort or kill");

const ENDS_FOR_NOTHING =
  "wait or abort with rehearse: kill would end the work of clients, and nothing would have moved";

const FORCE_NEEDS_A_REASON = {
  message: "a reason, because force is kept in the history with it",
  path: ["reason"],
};

function isForcedForAReason(request: { readonly force: boolean; readonly reason?: string | undefined }): boolean {
  return !request.force || Boolean(request.reason?.trim());
}

const switchRequest = z
  .strictObject({
    ...common,
    dryRun: z.boolean("true or false").default(false),
    rehearse: z.boolean("true or false").default(false),
    openTransactions: insistence.default("wait"),
    pinned: insistence.default("abort"),
    fence: z.enum(FENCES, FENCES.join(", ")).default("lock"),
    force: z.boolean("true or false").default(false),
    maxLagMs: z.number("milliseconds").min(0).max(3_600_000, "at most 3600000").optional(),
  })
  .refine(isForcedForAReason, FORCE_NEEDS_A_REASON)
  .refine((request) => !(request.dryRun && request.rehearse), {
    message: "one of dryRun, which changes nothing, and rehearse, which holds clients for a moment",
    path: ["rehearse"],
  })
  .refine((request) => !(request.rehearse && request.openTransactions === "kill"), {
    message: ENDS_FOR_NOTHING,
    path: ["openTransactions"],
  })
  .refine((request) => !(request.rehearse && request.pinned === "kill"), {
    message: ENDS_FOR_NOTHING,
    path: ["pinned"],
  });

/** The empty text stands for the home itself. */
const readFrom = z.union([z.literal(""), name("the name of a replica under `backends`")]).optional();

/** Within the bounds that the configuration has for the same limit. */
const limit = (of: ThrottleLimit): z.ZodOptional<z.ZodNumber> => {
  const { min, max } = LIMITS[of];
  return z.number("a number").int("a whole number").min(min, `at least ${min}`).max(max, `at most ${max}`).optional();
};

const tuneRequest = z.strictObject({
  ...common,
  throttleHistoryMax: limit("throttleHistoryMax"),
  throttleSourceThreadsMax: limit("throttleSourceThreadsMax"),
  throttleTargetThreadsMax: limit("throttleTargetThreadsMax"),
  throttleCommitMs: limit("throttleCommitMs"),
  throttleReplicaLagMs: limit("throttleReplicaLagMs"),
  throttleProxyP99Ms: limit("throttleProxyP99Ms"),
  throttleSpeedPercent: limit("throttleSpeedPercent"),
  replicas: z.array(name("the name of a replica under `backends`"), "a list of names").max(20, "at most 20").optional(),
  readFrom,
  onDdl: z.enum(ON_DDL, "stop, apply or ignore").optional(),
  reset: z.boolean("true or false").default(false),
} satisfies Record<string, z.ZodType> & Record<ThrottleLimit, z.ZodType>);

const repointRequest = z
  .strictObject({
    ...common,
    source: name("the name of the new source under `backends`").optional(),
    target: name("the name of the new target under `backends`").optional(),
  })
  .refine(({ source, target }) => (source === undefined) !== (target === undefined), {
    message: "one of source and target: one server is replaced at a time",
    path: ["source"],
  });

/** The bodies of `POST /v1/migrations/:id/<action>`, each with the order that it becomes. */
export const ACTIONS = {
  pause: { command: "migration-pause", schema: z.strictObject(common) },
  resume: {
    command: "migration-resume",
    schema: z.strictObject({
      ...common,
      afterDdl: z
        .string("a GTID")
        .regex(
          /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::[a-z_][a-z0-9_]{0,31})?:[1-9]\d{0,18}$/,
          "one GTID, as status shows it",
        )
        .optional(),
    }),
  },
  tune: { command: "migration-tune", schema: tuneRequest },
  repoint: { command: "migration-repoint", schema: repointRequest },
  cancel: {
    command: "migration-cancel",
    schema: z.strictObject({ ...common, keepData: z.boolean("true or false").default(false) }),
  },
  complete: {
    command: "migration-complete",
    schema: z
      .strictObject({
        ...common,
        oldTables: z.enum(["keep", "rename", "drop"], "keep, rename or drop").default("keep"),
        force: z.boolean("true or false").default(false),
      })
      .refine(isForcedForAReason, FORCE_NEEDS_A_REASON),
  },
  diff: {
    command: "diff-start",
    schema: z.strictObject({
      ...common,
      readFrom,
      resume: z.boolean("true or false").optional(),
      fast: z.boolean("true or false").optional(),
    }),
  },
  "diff-stop": { command: "diff-stop", schema: z.strictObject(common) },
  "diff-repair": {
    command: "diff-repair",
    schema: z.strictObject({ ...common, dryRun: z.boolean("true or false").default(false) }),
  },
  switch: { command: "switch", schema: switchRequest },
  rollback: { command: "rollback", schema: switchRequest },
} as const satisfies Record<string, { command: OrderCommand; schema: z.ZodType }>;

export type Action = keyof typeof ACTIONS;

/** The body of `POST /v1/proxies/:id/forget`: nobody forgets a proxy without saying how its end is known. */
export const forgetRequest = z.strictObject({
  order,
  reason: z
    .string("a text")
    .trim()
    .min(1, "how it is known that the process has ended")
    .max(500, "at most 500 characters"),
});

/** @throws {SwitchyardError} `ADMIN_REQUEST_INVALID` where a proxy's id in an address is none. */
export function checkedProxy(id: unknown): string {
  return checked(z.strictObject({ id: z.string().regex(/^[\w.:-]{1,200}$/, "the id of a proxy") }), { id }).id;
}

/** Parameters of `GET /v1/orders/:id`. */
export const orderQuery = z.strictObject({
  waitMs: z.coerce.number("milliseconds").int().min(0).max(60_000, "at most 60000").default(0),
  after: z.coerce.number("a revision").int().min(0).default(0),
});

/** @throws {SwitchyardError} `ADMIN_REQUEST_INVALID`, naming each field. */
export function checked<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw new SwitchyardError("ADMIN_REQUEST_INVALID", {
    what: "the request cannot be used",
    details: parsed.error.issues.slice(0, 20).map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`),
    changed: "Nothing was changed.",
    fix: "Mend these fields.",
  });
}

/** @throws {SwitchyardError} `ADMIN_REQUEST_INVALID` where a migration's name in an address is none. */
export function checkedMigration(id: unknown): string {
  return checked(z.strictObject({ id: name("the migration's name") }), { id }).id;
}
