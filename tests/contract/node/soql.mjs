// Another grammar of SOQL on our queries, in their order: which it takes, and each one read and written again.
import { composeQuery, isQueryValid, parseQuery } from "@jetstreamapp/soql-parser-js";
import { ready, run } from "./jobs.mjs";

await run({
  async verdicts() {
    return ready.queries.map((soql) => isQueryValid(soql));
  },

  async rewritten() {
    return ready.queries.map((soql) => {
      const text = isQueryValid(soql) ? composeQuery(parseQuery(soql)) : null;
      // A few come out as what it would not take itself.
      return text !== null && isQueryValid(text) ? text : null;
    });
  },
});
