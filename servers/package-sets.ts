/** Debian packages that are fetched together into one tree of the cache, and only when something asks for them. */
export interface PackageSet {
  /** For people. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Paths below the tree without which it is of no use. */
  readonly proof: readonly string[];
}

/** What the tests and the demo run. */
export const SERVERS: PackageSet = {
  name: "MySQL and etcd",
  packages: ["etcd-server", "mysql-client-core", "mysql-server-core"],
  proof: ["usr/sbin/mysqld", "usr/bin/mysql"],
};

/** What the benches compare with, and the load that they and some tests make. 35 MB to fetch. */
export const PEERS: PackageSet = {
  name: "the peers of the benches",
  packages: ["haproxy", "mydumper", "mysql-router", "sysbench"],
  proof: ["usr/sbin/haproxy", "usr/bin/mydumper", "usr/bin/mysqlrouter", "usr/bin/sysbench"],
};

/** What checks metrics and alert rules. */
export const PROMETHEUS: PackageSet = {
  name: "promtool",
  packages: ["prometheus"],
  proof: ["usr/bin/promtool"],
};

/** What checks the unit for systemd, and what speaks to systemd for a service. */
export const SYSTEMD: PackageSet = {
  name: "systemd's tools",
  packages: ["libsystemd-shared", "systemd"],
  proof: ["usr/bin/systemd-notify", "usr/bin/systemd-analyze"],
};
