// Runs the jobs of a script on the sandbox whose ready line it is given, and prints what each came to: one line.
//
//   node hubspot.mjs '{"hubspot": "http://127.0.0.1:…", …}'
//
// A job that fails does not stop the next one: its part of the line tells the error's name and text instead.

/** The sandbox's ready line, and with it whatever else the test handed over. */
export const ready = JSON.parse(process.argv[2]);

/**
 * Runs every job in order and prints {"job": {"result": …} or {"failed": "…"}}.
 * @param {Record<string, () => Promise<unknown>>} jobs
 */
export async function run(jobs) {
  const results = {};
  for (const [name, job] of Object.entries(jobs)) {
    try {
      results[name] = { result: (await job()) ?? null };
    } catch (error) {
      // What fetch failed over stands in its cause.
      const why = [error, error?.cause].filter(Boolean).map((each) => `${each.name}: ${each.message}`);
      results[name] = { failed: why.join("; because ").slice(0, 2000) };
    }
  }
  process.stdout.write(`${JSON.stringify(results)}\n`);
}
