import { bootstrap } from "./bootstrap.mjs";

await bootstrap();
const { main } = await import("../servers/dev-servers.ts");
process.exitCode = await main(process.argv.slice(2));
