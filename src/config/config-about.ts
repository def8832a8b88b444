import { LIMITS, type LimitName } from "./limits.ts";

/** What a key of the configuration means, and what becomes of a change of it while Switchyard runs. */
export interface KeyAbout {
  readonly about: string;
  /** `reload`: SIGHUP puts a change in force. `restart`: the change is named in the log and waits for the next start. */
  readonly change: "reload" | "restart";
}

const restart = (about: string): KeyAbout => ({ about, change: "restart" });
const reload = (about: string): KeyAbout => ({ about, change: "reload" });

/** Limits that processes have agreed on with each other, by leases that are held already. */
const FIXED_LIMITS: readonly LimitName[] = ["leaseTtlMs", "leaseMarginMs"];

const LIMITS_ABOUT = Object.fromEntries(
  (Object.keys(LIMITS) as LimitName[]).map((name): [string, KeyAbout] => [
    `limits.${name}`,
    FIXED_LIMITS.includes(name) ? restart(LIMITS[name].about) : reload(LIMITS[name].about),
  ]),
);

/**
 * Every key of the configuration, by its path; `<name>` stands for a name that the operator chooses and `[]` for an
 * entry of a list. A unit test compares it with the schema.
 */
export const CONFIG_ABOUT: Readonly<Record<string, KeyAbout>> = {
  listen: restart("Where the proxy listens for MySQL clients."),
  "admin.listen": restart("Where the admin API listens. Beyond loopback it wants a token, and TLS or `insecure`."),
  "admin.tokens": reload("Who may use the admin API. On loopback a request without a token is that of a local user."),
  "admin.tokens[].name": reload("Who holds the token; it is what the history of a migration shows."),
  "admin.tokens[].role": reload("`read` looks, `operate` also changes."),
  "admin.tokens[].sha256": reload("SHA-256 of the token in hexadecimal: `printf %s TOKEN | sha256sum`."),
  "admin.tls": reload("Serves the admin API by HTTPS. Certificate and key are read again; TLS itself stays on or off."),
  "admin.tls.cert": reload("Certificate of the admin API with its chain: the path of a PEM file."),
  "admin.tls.key": reload("Its private key: the path of a PEM file."),
  "admin.insecure": restart("Allows plain HTTP beyond loopback, for networks that protect it otherwise."),
  store: restart("Where rules, journals and leases are kept: `embedded` in this process, or an etcd."),
  "store.etcd": restart("Several proxies and controllers meet in an etcd."),
  "store.etcd.endpoints": restart("URLs of the etcd members."),
  "store.etcd.prefix": restart("How all keys of this fleet begin; `/switchyard` where left out."),
  "store.etcd.user": restart("Switchyard's user in etcd, where etcd asks for one."),
  "store.etcd.password": restart("Its password."),
  "store.etcd.tls": restart("How etcd is known to be the right one, and how it knows us."),
  "store.etcd.tls.ca": restart("Authorities to trust: the path of a PEM file."),
  "store.etcd.tls.cert": restart("Certificate to show: the path of a PEM file."),
  "store.etcd.tls.key": restart("Its private key: the path of a PEM file."),
  dataDirectory: restart(
    "Where the embedded store keeps its journal; one process at a time. Left out, `switchyard-data` in the working directory.",
  ),
  backends: restart("The MySQL servers, by the names that migrations and rules use."),
  "backends.<name>.host": restart("Host name or address."),
  "backends.<name>.port": restart("TCP port."),
  "backends.<name>.user": restart("Switchyard's own account there, made by what `check --print-grants` prints."),
  "backends.<name>.password": restart("Its password, best taken from the environment."),
  "backends.<name>.tls": restart("How connections to this server are protected."),
  "backends.<name>.tls.mode": restart("As MySQL's own clients have it under `--ssl-mode`."),
  "backends.<name>.tls.ca": restart("Authorities to trust, needed for the `verify_` modes: the path of a PEM file."),
  "backends.<name>.tls.cert": restart("Certificate to show: the path of a PEM file."),
  "backends.<name>.tls.key": restart("Its private key: the path of a PEM file."),
  "backends.<name>.compression": restart(
    "How connections to this server are compressed: the first of the list that it has in its own " +
      "`protocol_compression_algorithms`. Saves bytes on slow links and costs processor time on both ends.",
  ),
  "backends.<name>.zstdLevel": restart("How hard zstd works on both directions, from 1 (fast) to 22."),
  default: restart("The backend of every table that no migration has moved."),
  workers: restart("Proxy processes that share the listening socket."),
  tls: reload(
    "What clients of the proxy find: a certificate made at the start (`generated`), one that is given, or no TLS. " +
      "A given pair is read again; which of the three it is stays.",
  ),
  "tls.cert": reload("Certificate with its chain: the path of a PEM file. Sessions that are open keep theirs."),
  "tls.key": reload("Its private key: the path of a PEM file."),
  users: reload(
    "Accounts of clients that know no newer method than `mysql_native_password`: the proxy checks what they answer, and logs in with this password.",
  ),
  "users[].name": reload("The account's name on the MySQL servers."),
  "users[].password": reload("Its password there, best taken from the environment."),
  "routeHints.users": reload(
    "Users whose reads may say by `/* switchyard:route=<backend> */` ahead of all else on which backend they look, wherever the tables live. For others it is a comment.",
  ),
  "proxyProtocol.trusted": reload(
    "Networks of load balancers: each connection from there must begin with a header of the PROXY protocol, version 1 or 2. From elsewhere none is accepted.",
  ),
  compression: restart(
    "Compression that clients of the proxy may choose, as a server has it in `protocol_compression_algorithms`; without " +
      "`uncompressed` in the list they must choose one. It does not depend on how backends are spoken to.",
  ),
  "log.level": reload("The least severe lines that are written."),
  "log.format": restart("`auto` is pretty on a terminal and JSON lines elsewhere."),
  ...LIMITS_ABOUT,
};
