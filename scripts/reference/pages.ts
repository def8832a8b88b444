import { cliPage } from "./cli-page.ts";
import { configurationPage } from "./configuration-page.ts";
import { doctorPage } from "./doctor-page.ts";
import { errorsPage } from "./errors-page.ts";
import { metricsPage } from "./metrics-page.ts";
import { preflightPage } from "./preflight-page.ts";
import { privilegesPage } from "./privileges-page.ts";

/** Where the pages are kept, below the project. */
export const REFERENCE_FOLDER = "docs/reference";

/** Every reference page by its file's name, made from the sources as they are. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ["cli.md", cliPage()],
    ["configuration.md", configurationPage()],
    ["doctor.md", doctorPage()],
    ["errors.md", errorsPage()],
    ["metrics.md", metricsPage()],
    ["preflight-checks.md", preflightPage()],
    ["privileges.md", privilegesPage()],
  ]);
}
