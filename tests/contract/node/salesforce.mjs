// jsforce on the pretend Salesforce, by its public methods alone.
import assert from "node:assert/strict";
import jsforce from "jsforce";
import { ready, run } from "./jobs.mjs";

const VERSION = "66.0";
// jsforce follows the instance URL of its token, which is a real-looking one: a proxy leads from there to the sandbox.
const httpProxy = ready.proxy;
const loginUrl = `https://${ready.salesforce_domain}.salesforce.com`;
const oauth2 = {
  clientId: ready.salesforce_client_id, clientSecret: ready.salesforce_client_secret, loginUrl, httpProxy,
};
const connection = new jsforce.Connection({ oauth2, loginUrl, httpProxy, version: VERSION });
const lead = (n, more = {}) => ({ LastName: `L${String(n).padStart(4, "0")}`, Company: "Engines", ...more });
const many = (count, more) => Array.from({ length: count }, (_, n) => lead(n, more));

/** The name and text of a refusal. */
async function refused(call) {
  const error = await Promise.resolve(call).then(() => undefined, (caught) => caught);
  assert.ok(error, "the call was expected to be refused");
  return { code: error.errorCode ?? error.name, message: error.message };
}

await run({
  async login() {
    const user = await connection.authorize({ grant_type: "client_credentials" });
    assert.equal(connection.userInfo.organizationId, user.organizationId);
    const stranger = new jsforce.Connection({ oauth2: { ...oauth2, clientSecret: "wrong" }, httpProxy, version: VERSION });
    const wrong = await refused(stranger.authorize({ grant_type: "client_credentials" }));
    // The last version whose SOAP API has login.
    const byPassword = new jsforce.Connection({ loginUrl, httpProxy, version: "64.0" });
    const soap = await byPassword.login(ready.username, ready.password);
    assert.deepEqual([soap.id, soap.organizationId], [user.id, user.organizationId]);
    const badly = await refused(byPassword.login(ready.username, "wrong"));
    const counted = await new jsforce.Connection({
      instanceUrl: byPassword.instanceUrl, accessToken: byPassword.accessToken, httpProxy, version: VERSION,
    }).query("SELECT COUNT() FROM Lead");
    const expired = new jsforce.Connection({ instanceUrl: loginUrl, accessToken: "00D!dead", httpProxy, version: VERSION });
    return {
      organization: user.organizationId, user: user.id, wrong: wrong.code, badly: badly.message, leads: counted.totalSize,
      expired: (await refused(expired.query("SELECT Id FROM Lead"))).code,
    };
  },

  async deploy() {
    const started = await connection.metadata.deployRest(Buffer.from(ready.package, "base64"), {
      singlePackage: true, rollbackOnError: true,
    });
    const told = await connection.request(`/metadata/deployRequest/${started.id}?includeDetails=true`);
    const set = await connection.sobject("PermissionSet").findOne({ Name: ready.permissionSet }, ["Id"]);
    await connection.sobject("PermissionSetAssignment").create({ AssigneeId: connection.userInfo.id, PermissionSetId: set.Id });
    const { fields } = await connection.sobject("Lead").describe();
    return { status: told.deployResult.status, visible: fields.some((each) => each.name === ready.key && each.externalId) };
  },

  async record() {
    const leads = connection.sobject("Lead");
    const made = await leads.create(lead(1, { City: "Zürich", Email: "ada@engines.example" }));
    assert.equal(made.success, true);
    assert.equal((await leads.update({ Id: made.id, Email: null, Street: "1\n2" })).success, true);
    const read = await leads.retrieve(made.id);
    assert.deepEqual([read.City, read.Email, read.Street], ["Zürich", null, "1\n2"]);
    const missing = await refused(leads.create({ LastName: "x" }));
    await leads.destroy(made.id);
    return { missing: missing.code, gone: (await refused(leads.retrieve(made.id))).code };
  },

  async collections() {
    const leads = connection.sobject("Lead");
    const made = await leads.create(many(450, { City: "Essen" }), { allowRecursive: true });
    const ids = made.map((each) => each.id);
    const [one] = await leads.create([lead(999, { City: "Bonn" })]);
    const mixed = await leads.update([
      { Id: ids[0], Title: "CEO" }, { Id: ids[1], Email: "not an address" }, { Id: ids[2], Title: "CTO" },
    ]);
    const rolled = await leads.create([lead(1), { LastName: "only" }], { allOrNone: true });
    const read = await leads.retrieve(ids.slice(0, 3));
    const dropped = await leads.destroy([ids[449]]);
    return {
      made: made.filter((each) => each.success).length, distinct: new Set(ids).size, one: one.success,
      mixed: mixed.map((each) => (each.success ? "" : each.errors[0].statusCode ?? each.errors[0].errorCode)),
      rolled: rolled.map((each) => each.errors[0].statusCode ?? each.errors[0].errorCode),
      titles: read.map((each) => each.Title), dropped: dropped[0].success,
    };
  },

  async upsert() {
    const leads = connection.sobject("Lead");
    const first = await leads.upsert([1, 2].map((n) => lead(n, { [ready.key]: `k${n}` })), ready.key);
    const again = await leads.upsert([2, 3].map((n) => lead(n, { [ready.key]: `k${n}`, City: "Kiel" })), ready.key);
    const single = await leads.upsert({ ...lead(9), [ready.key]: "k/9 ü" }, ready.key);
    assert.equal(again[0].id, first[1].id);
    return { first: first.map((each) => each.created), again: again.map((each) => each.created), single: single.created };
  },

  async query() {
    const soql = "SELECT Id, Name FROM Lead WHERE City = 'Essen' ORDER BY Id";
    const page = await connection.query(soql, { headers: { "Sforce-Query-Options": "batchSize=200" } });
    assert.deepEqual([page.totalSize, page.done, page.records.length], [449, false, 200]);
    const seen = page.records.map((each) => each.Id);
    for (let next = page; !next.done; ) {
      next = await connection.queryMore(next.nextRecordsUrl);
      seen.push(...next.records.map((each) => each.Id));
    }
    const fetched = await connection.query(soql, {
      autoFetch: true, maxFetch: 10_000, headers: { "Sforce-Query-Options": "batchSize=200" },
    });
    const all = await connection.query("SELECT Id FROM Lead WHERE City = 'Essen'", { autoFetch: true, scanAll: true });
    const built = await connection.sobject("Lead")
      .find({ City: "Essen", LastName: { $like: "L001%" }, CreatedDate: { $gte: jsforce.Date.YESTERDAY } }, ["Id", "LastName", "Owner.Name"])
      .sort({ LastName: -1 }).limit(4).execute();
    const counted = await connection.query("SELECT Status, COUNT(Id) n FROM Lead GROUP BY Status");
    const wrong = await refused(connection.query("SELECT Foo FROM Lead"));
    return {
      seen: seen.length, distinct: new Set(seen).size, fetched: fetched.records.length, withDeleted: all.records.length,
      built: built.map((each) => each.LastName), owner: Boolean(built[0].Owner.Name),
      groups: counted.records.length, wrong: wrong.code,
    };
  },

  async changes() {
    const leads = connection.sobject("Lead");
    const described = await leads.describe();
    const everything = await connection.describeGlobal();
    const limits = await connection.limits();
    return {
      lastName: described.fields.find((each) => each.name === "LastName").length,
      global: everything.sobjects.some((each) => each.name === "Lead"),
      daily: limits.DailyApiRequests.Max, usage: connection.limitInfo.apiUsage?.used > 0,
    };
  },

  async convert() {
    const leads = connection.sobject("Lead");
    const made = await leads.create([lead(1, { Company: "Analytical" }), lead(2)]);
    await leads.destroy(made[1].id);
    const converted = await connection.soap.convertLead({
      leadId: made[0].id, convertedStatus: "Closed - Converted", doNotCreateOpportunity: true,
    });
    const read = await leads.retrieve(made[0].id, { fields: ["IsConverted", "ConvertedContactId", "ConvertedAccountId"] });
    assert.deepEqual([read.ConvertedContactId, read.ConvertedAccountId], [converted.contactId, converted.accountId]);
    const account = await connection.sobject("Account").retrieve(converted.accountId);
    const late = await refused(leads.update({ Id: made[0].id, Title: "late" }));
    const gone = await connection.soap.convertLead({ leadId: made[1].id, convertedStatus: "Closed - Converted" });
    return {
      success: converted.success, converted: read.IsConverted, opportunity: converted.opportunityId ?? null,
      account: account.Name, late: late.code, gone: [gone.success, ...gone.errors.map((each) => each.statusCode)],
    };
  },

  async bulk() {
    const text = 'Straße "7", 2. OG\nHinterhaus';
    const results = await connection.bulk2.loadAndWaitForResults({
      object: "Lead", operation: "insert", pollInterval: 100, pollTimeout: 60_000,
      input: [...many(2_000, { City: "Bulk", Street: text }), { LastName: "refused" }],
    });
    const upserted = await connection.bulk2.loadAndWaitForResults({
      object: "Lead", operation: "upsert", externalIdFieldName: ready.key, pollInterval: 100, pollTimeout: 60_000,
      input: [1, 77].map((n) => lead(n, { City: "Bulk", [ready.key]: `k${n}` })),
    });
    const stream = await connection.bulk2.query("SELECT Id, Street FROM Lead WHERE City = 'Bulk'", { pollInterval: 100, pollTimeout: 60_000 });
    const rows = await stream.toArray();
    return {
      loaded: results.successfulResults.length, failed: results.failedResults.map((each) => each.sf__Error),
      unprocessed: results.unprocessedRecords.length,
      created: upserted.successfulResults.map((each) => each.sf__Created),
      rows: rows.length, distinct: new Set(rows.map((each) => each.Id)).size,
      streets: [...new Set(rows.map((each) => each.Street))].sort(), text,
    };
  },
});
