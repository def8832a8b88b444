import { expect, test } from "vitest";
import { printGrants } from "../../../src/preflight/grants.ts";

/** From the reference manual: the release that brought each dynamic privilege, and the static ones that all have. */
const SINCE: Readonly<Record<string, number>> = {
  REPLICATION_APPLIER: 80_018,
  SHOW_ROUTINE: 80_020,
  CONNECTION_ADMIN: 80_003,
  XA_RECOVER_ADMIN: 80_011,
};
const STATIC: readonly string[] = [
  ...["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "REFERENCES", "TRIGGER", "EVENT", "PROCESS"],
  ...["LOCK TABLES", "SHOW VIEW", "SHOW DATABASES", "REPLICATION SLAVE", "REPLICATION CLIENT"],
];

/** A statement that names a privilege which the server does not know fails as a whole, and grants none of it. */
test.each([80_017, 80_019, 80_020, 80_044, 80_400, 90_000, 90_700])(
  "a server of version %i is asked for no privilege that it does not know, and for all others",
  (version) => {
    const text = printGrants("serve", { user: "s", host: "%", schemas: ["shop"], version });
    const named = new Set(text.flatMap((line) => /^GRANT (.*?) ON /.exec(line)?.[1]?.split(", ") ?? []));
    const dynamic = [...named].filter((privilege) => !STATIC.includes(privilege)).sort();
    const known = Object.keys(SINCE).filter((privilege) => version >= (SINCE[privilege] ?? 0));
    expect(dynamic).toEqual(known.sort());
    expect([...STATIC].filter((privilege) => !named.has(privilege))).toEqual([]);
  },
);
