import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  EtcdCluster,
  EtcdServer,
  type EtcdServerOptions,
  type EtcdTls,
  freeEtcdPorts,
} from "../../servers/etcd-server.ts";
import { providePrograms } from "../../servers/programs.ts";
import { makeRunFolder } from "../../servers/run-folder.ts";

// A crash of a process loses nothing that the system has taken; waiting for the disk would only slow the tests.
const ARGS = ["--unsafe-no-fsync"];

let runFolder: string | undefined;
let started = 0;

/** A real etcd of this test process. It ends with the process, whatever happens to it. */
export async function startEtcd(options: Partial<EtcdServerOptions> = {}): Promise<EtcdServer> {
  const server = await makeEtcd("etcd", options);
  await server.start();
  return server;
}

/** Three etcd processes that are one cluster. */
export async function startEtcdCluster(): Promise<EtcdCluster> {
  const members = [await makeEtcd("e1"), await makeEtcd("e2"), await makeEtcd("e3")];
  const cluster = new EtcdCluster(members);
  await cluster.start();
  return cluster;
}

/** Ends servers at once and removes their data. */
export async function stopEtcd(servers: readonly (EtcdServer | undefined)[]): Promise<void> {
  for (const server of servers) {
    await server?.kill9();
    if (server !== undefined) rmSync(server.folder, { recursive: true, force: true });
  }
}

async function makeEtcd(name: string, options: Partial<EtcdServerOptions> = {}): Promise<EtcdServer> {
  const programs = await providePrograms((line) => process.stderr.write(`${line}\n`));
  const folder = join(testFolder(), `${++started}-${name}`);
  return new EtcdServer(
    programs,
    { name, folder, ...options, args: [...ARGS, ...(options.args ?? [])] },
    await freeEtcdPorts(),
  );
}

function testFolder(): string {
  runFolder ??= makeRunFolder();
  return runFolder;
}

/** Paths of an authority, a server's certificate for 127.0.0.1, and a client's. */
export interface TestCertificates {
  readonly server: EtcdTls;
  readonly client: { readonly ca: string; readonly cert: string; readonly key: string };
  /** An authority that has signed none of these. */
  readonly stranger: string;
}

/** Makes certificates with openssl, in a folder that ends with this process. */
export function makeCertificates(): TestCertificates {
  const folder = join(testFolder(), `${++started}-certificates`);
  mkdirSync(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  };
  const authority = (name: string): void =>
    openssl(
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
      ...["-keyout", path(`${name}.key`), "-out", path(`${name}.pem`)],
    );
  const signed = (name: string, extension: string): void => {
    writeFileSync(path(`${name}.ext`), extension);
    openssl(
      ...["req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`],
      ...["-keyout", path(`${name}.key`), "-out", path(`${name}.csr`)],
    );
    openssl(
      ...["x509", "-req", "-days", "2", "-in", path(`${name}.csr`), "-out", path(`${name}.pem`)],
      ...["-CA", path("authority.pem"), "-CAkey", path("authority.key"), "-CAcreateserial"],
      ...["-extfile", path(`${name}.ext`)],
    );
  };
  authority("authority");
  authority("stranger");
  signed("server", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n");
  signed("client", "extendedKeyUsage=clientAuth\n");
  const pair = (name: string) => ({ ca: path("authority.pem"), cert: path(`${name}.pem`), key: path(`${name}.key`) });
  return { server: pair("server"), client: pair("client"), stranger: path("stranger.pem") };
}
