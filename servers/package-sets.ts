/** Debian packages that are fetched together into one tree of the cache, and only when something asks for them. */
export interface PackageSet {
  /** For people. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Paths below the tree without which it is of no use. */
  readonly proof: readonly string[];
  /** Packages that other sets leave out as a system's, and that this one needs. */
  readonly keeps?: RegExp;
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

/** Perl itself, which other sets leave out as a system's. */
const PERL = /^(perl|perl-base|perl-modules-.*|libperl.*)$/;

/** Interpreters with their drivers for MySQL, which `npm run test:clients` runs. 45 MB to fetch. */
export const SCRIPTED_CLIENTS: PackageSet = {
  name: "clients in Perl, PHP, Python and Ruby",
  packages: [
    "libdbd-mariadb-perl",
    "libdbd-mysql-perl",
    "php-cli",
    "php-mysql",
    "python3-cryptography",
    "python3-mysqldb",
    "python3-pymysql",
    "ruby-mysql2",
  ],
  proof: ["usr/bin/perl", "usr/lib/php", "usr/bin/python3", "usr/bin/ruby"],
  keeps: PERL,
};

/** What the bench of the diff compares with, and the Perl that it is written in. 65 MB to fetch. */
export const TABLE_CHECKSUM: PackageSet = {
  name: "pt-table-checksum",
  packages: ["percona-toolkit"],
  proof: ["usr/bin/pt-table-checksum", "usr/bin/perl"],
  keeps: PERL,
};

/** Go with its driver, for the same. 50 MB to fetch. */
export const GO_CLIENT: PackageSet = {
  name: "Go and its driver",
  packages: ["golang-github-go-sql-driver-mysql-dev", "golang-go"],
  proof: ["usr/bin/go", "usr/share/gocode/src/github.com/go-sql-driver/mysql/driver.go"],
};

/** A Java runtime with MariaDB Connector/J, and a compiler that is smaller than a JDK. 80 MB to fetch. */
export const JAVA_CLIENT: PackageSet = {
  name: "Java and its driver",
  packages: ["default-jre-headless", "ecj", "libmariadb-java"],
  proof: ["usr/share/java/eclipse-jdt-core-compiler-batch.jar", "usr/share/java/mariadb-java-client.jar"],
};
