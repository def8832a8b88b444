import { bootstrap } from "./bootstrap.mjs";

await bootstrap();
const { main } = await import("../test/support/record-wire.ts");
await main();
process.exit();
