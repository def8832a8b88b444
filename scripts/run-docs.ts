import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REFERENCE_FOLDER, referencePages } from "./reference/pages.ts";

/** `npm run docs`: writes the reference pages anew. */
export function main(): number {
  mkdirSync(REFERENCE_FOLDER, { recursive: true });
  for (const [name, text] of referencePages()) {
    writeFileSync(join(REFERENCE_FOLDER, name), text);
    process.stdout.write(`${REFERENCE_FOLDER}/${name}\n`);
  }
  return 0;
}
