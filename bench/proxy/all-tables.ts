import type { PeerName } from "../frame/bench.ts";
import type { Measures } from "../frame/interleave.ts";
import type { ProxyLoad } from "./all-loads.ts";
import type { Hop } from "./hops.ts";
import { stormName } from "./login-storm.ts";

type HopName = PeerName | "ours";

const TITLES: Readonly<Partial<Record<HopName, string>>> = {
  direct: "the server",
  haproxy: "HAProxy",
  "mysql-router": "Router",
  "mysql-router-sharing": "Router, sharing",
  ours: "Switchyard",
};

/** Tables in markdown, as they stand in docs/performance.md. */
export function allTables(
  loads: readonly ProxyLoad[],
  hops: readonly Hop[],
  measured: ReadonlyMap<string, Measures>,
): string {
  const names = hops.map(({ name }) => name);
  const between = names.filter((name) => name !== "direct");
  const of = (load: string, hop: HopName, key: string): number | undefined => measured.get(`${load} ${hop}`)?.[key];
  const ratio = (load: string, peer: HopName): string => {
    const [ours, theirs] = [of(load, "ours", "qps"), of(load, peer, "qps")];
    return ours === undefined || theirs === undefined ? "–" : (ours / theirs).toFixed(2);
  };
  const speed = loads.map(({ name, title }) => [
    title,
    ...names.map((hop) => `${whole(of(name, hop, "qps"))} / ${digits(of(name, hop, "p95Ms"))}`),
    ratio(name, "haproxy"),
    ratio(name, "mysql-router-sharing"),
  ]);
  const cost = loads.map(({ name, title }) => [title, ...between.map((hop) => digits(of(name, hop, "cpuUs")))]);
  const added = loads
    .filter(({ single }) => single)
    .map(({ name, title }) => [
      title,
      ...between.map((hop) => `${addedUs(of, name, hop, "p50Ms")} / ${addedUs(of, name, hop, "p99Ms")}`),
    ]);
  const storms = [false, true].map((tls) => [
    tls ? "with TLS" : "without TLS",
    ...names.map((hop) => {
      const perSecond = whole(of(stormName(tls), hop, "perSecond"));
      return hop === "direct" ? perSecond : `${perSecond} / ${whole(of(stormName(tls), hop, "cpuUs"))}`;
    }),
  ]);
  const title = (name: HopName): string => TITLES[name] ?? name;
  return [
    "Queries a second / milliseconds below which 95 % were answered (of a whole transaction in read only and read write):",
    table(["load", ...names.map(title), "÷ HAProxy", "÷ Router, sharing"], speed),
    "Processor time for each query, in microseconds:",
    table(["load", ...between.map(title)], cost),
    "Time added to that of the server itself, p50 / p99 in microseconds:",
    table(["load", ...between.map(title)], added),
    "Logins a second / processor time for each in microseconds:",
    table(["clients that connect, ask once and leave", ...names.map(title)], storms),
  ].join("\n\n");
}

function addedUs(
  of: (load: string, hop: HopName, key: string) => number | undefined,
  load: string,
  hop: HopName,
  key: string,
): string {
  const [there, direct] = [of(load, hop, key), of(load, "direct", key)];
  return there === undefined || direct === undefined
    ? "–"
    : Math.round((there - direct) * 1000).toLocaleString("en-US");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

function whole(value: number | undefined): string {
  return value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

function digits(value: number | undefined): string {
  if (value === undefined) return "–";
  return value >= 100 ? whole(value) : String(Number(value.toPrecision(2)));
}
