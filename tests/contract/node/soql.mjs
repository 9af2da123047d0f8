// Which queries another grammar of SOQL takes, one by one: {"verdicts": [true, false, …]} in their order.
import { isQueryValid } from "@jetstreamapp/soql-parser-js";
import { ready, run } from "./jobs.mjs";

await run({
  async verdicts() {
    return ready.queries.map((soql) => isQueryValid(soql));
  },
});
