import { bootstrap } from "./bootstrap.mjs";

await bootstrap();
const { main } = await import("./run-build.ts");
process.exitCode = await main(process.argv.slice(2));
