import { bootstrap } from "./bootstrap.mjs";

await bootstrap();
const { main } = await import("./run-docs.ts");
process.exitCode = main();
