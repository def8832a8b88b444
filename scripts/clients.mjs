import { bootstrap } from "./bootstrap.mjs";

await bootstrap();
const { runClients } = await import("./run-tests.ts");
process.exitCode = await runClients(process.argv.slice(2));
