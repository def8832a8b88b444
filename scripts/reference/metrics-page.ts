import { LABELS, METRICS, type MetricSpec } from "../../src/metrics/catalogue.ts";
import { code, markdownTable, page } from "./markdown.ts";

/** Every metric, from the catalogue. */
export function metricsPage(): string {
  const rows = (Object.entries(METRICS) as [string, MetricSpec][]).map(([name, spec]) => [
    code(`switchyard_${name}`),
    spec.type,
    spec.labels.map(code).join(" "),
    unitOf(name),
    spec.help,
    across(spec),
  ]);
  const labels = Object.entries(LABELS).map(([name, about]) => [code(name), about]);
  return page(
    "Metrics",
    "`GET /metrics` of the admin API gives one scrape over all processes of a `serve`, in the text format of Prometheus. " +
      "It asks for a token as every other address there does. Counters go on when a process dies and is started again.",
    [
      markdownTable(["metric", "type", "labels", "unit", "meaning", "of several processes"], rows),
      `## Labels\n\n${markdownTable(["label", "meaning"], labels)}`,
    ],
  );
}

function unitOf(name: string): string {
  if (/_seconds(_|$)/.test(name)) return "seconds";
  if (/_bytes(_|$)/.test(name)) return "bytes";
  return "";
}

function across({ type, across: how }: MetricSpec): string {
  if (type !== "gauge") return "added";
  const words = { sum: "added", min: "lowest", max: "highest", first: "any" } as const;
  return words[how ?? "sum"];
}
