import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Folders whose files take longest, slowest first. What starts late and takes long would leave the other worker idle. */
const SLOW = ["integration/system/", "integration/replication/", "simulation/", "integration/demo/", "integration/"];

/** Starts the slow files first. The runner's own order goes by the size of files, which says little here. */
export default class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a.moduleId) - rank(b.moduleId));
  }
}

function rank(path: string): number {
  const found = SLOW.findIndex((folder) => path.includes(`/test/${folder}`));
  return found === -1 ? SLOW.length : found;
}
