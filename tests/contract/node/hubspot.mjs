// HubSpot's own Node client (@hubspot/api-client) on the sandbox, by its public methods alone.
import assert from "node:assert/strict";
import hubspot from "@hubspot/api-client";
import { ready, run } from "./jobs.mjs";

const { Client, AssociationTypes } = hubspot;
const client = new Client({ accessToken: ready.hubspot_token, basePath: ready.hubspot });
const { contacts, companies, properties, owners, pipelines, associations } = client.crm;

/** A rejected call's status and body; the client wraps both in an exception. */
async function refused(call) {
  const error = await call.then(() => undefined, (caught) => caught);
  assert.ok(error, "the call was expected to be refused");
  return { status: error.code, body: typeof error.body === "string" ? JSON.parse(error.body) : error.body };
}

const person = (name, more = {}) => ({
  properties: { email: `${name}@node.example`, lastname: name, ...more },
  associations: [],
});

await run({
  async contact() {
    const made = await contacts.basicApi.create(person("ADA", { city: "Zürich" }));
    assert.equal(made.properties.email, "ada@node.example");
    assert.ok(made.createdAt instanceof Date);
    const changed = await contacts.basicApi.update(made.id, { properties: { firstname: "Ada" } });
    assert.equal(changed.properties.firstname, "Ada");
    const found = await contacts.basicApi.getById(
      "ada@node.example", ["firstname", "city", "zip"], ["firstname"], undefined, false, "email",
    );
    assert.deepEqual([found.id, found.properties.city, found.properties.zip], [made.id, "Zürich", null]);
    assert.deepEqual(found.propertiesWithHistory.firstname.map((each) => each.value), ["Ada"]);
    const again = await refused(contacts.basicApi.create(person("ada")));
    assert.equal(again.status, 409);
    await contacts.basicApi.archive(made.id);
    assert.equal((await refused(contacts.basicApi.getById(made.id))).status, 404);
    assert.equal((await contacts.basicApi.getById(made.id, undefined, undefined, undefined, true)).archived, true);
    return { id: made.id, again: again.body };
  },

  async batch() {
    const inputs = [person("bo"), person("bo"), person("cy")].map((each, n) => ({ ...each, objectWriteTraceId: `t${n}` }));
    const partly = await contacts.batchApi.create({ inputs });
    assert.ok(partly instanceof Object && partly.numErrors === 1);
    const [error] = partly.errors;
    const ids = partly.results.map((each) => each.id);
    const updated = await contacts.batchApi.update({
      inputs: [...ids, "999999"].map((id) => ({ id, properties: { city: "Bonn" } })),
    });
    const read = await contacts.batchApi.read({
      inputs: [...ids, "999999"].map((id) => ({ id })), properties: ["city"], propertiesWithHistory: [],
    });
    assert.deepEqual(read.results.map((each) => each.properties.city), ["Bonn", "Bonn"]);
    await contacts.batchApi.archive({ inputs: ids.slice(1).map((id) => ({ id })) });
    return {
      made: partly.results.map((each) => each.properties.email).sort(),
      conflict: { category: error.category, context: error.context },
      notFound: updated.errors.map((each) => ({ category: each.category, context: each.context })),
      missing: read.errors.map((each) => each.context),
      left: ids[0],
    };
  },

  async pages() {
    const inputs = Array.from({ length: 100 }, (_, n) => person(`p${n}`, { city: "Essen" }));
    await contacts.batchApi.create({ inputs });
    await contacts.batchApi.create({ inputs: [person("last", { city: "Essen" })] });
    const all = await contacts.getAll(undefined, undefined, ["email"]);
    return { all: all.length, distinct: new Set(all.map((each) => each.id)).size };
  },

  async search() {
    const seen = [];
    let after;
    let total;
    do {
      const page = await contacts.searchApi.doSearch({
        filterGroups: [{ filters: [{ propertyName: "city", operator: "EQ", value: "Essen" }] }],
        sorts: ["-email"], properties: ["email"], limit: 25, after,
      });
      total = page.total;
      seen.push(...page.results.map((each) => each.properties.email));
      after = page.paging?.next?.after;
    } while (after);
    assert.deepEqual(seen, [...seen].sort().reverse());
    return { total, distinct: new Set(seen).size, pages: Math.ceil(seen.length / 25) };
  },

  async properties() {
    await properties.groupsApi.create("contacts", { name: "node", label: "Node", displayOrder: -1 });
    const made = await properties.coreApi.create("contacts", {
      name: "node_grade", label: "Grade", type: "enumeration", fieldType: "select", groupName: "node",
      options: ["a", "b"].map((value, n) => ({ label: value, value, displayOrder: n, hidden: false })),
    });
    assert.deepEqual(made.options.map((each) => each.value), ["a", "b"]);
    const wrong = await refused(contacts.basicApi.create(person("wrong", { node_grade: "z" })));
    const all = await properties.coreApi.getAll("contacts");
    await properties.coreApi.archive("contacts", "node_grade");
    assert.equal((await refused(properties.coreApi.getByName("contacts", "node_grade"))).status, 404);
    return { names: all.results.map((each) => each.name), wrong: { status: wrong.status, code: wrong.body.errors[0].code } };
  },

  async associations() {
    const one = await contacts.basicApi.create(person("link"));
    const firm = await companies.basicApi.create({ properties: { name: "Engines", domain: "engines.example" }, associations: [] });
    await associations.v4.basicApi.createDefault("contacts", one.id, "companies", firm.id);
    await associations.v4.batchApi.create("contacts", "companies", {
      inputs: [{
        _from: { id: one.id }, to: { id: firm.id },
        types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: AssociationTypes.primaryContactToCompany }],
      }],
    });
    const listed = await associations.v4.basicApi.getPage("contacts", one.id, "companies");
    const read = await associations.v4.batchApi.getPage("contacts", "companies", { inputs: [{ id: one.id }] });
    assert.deepEqual(read.results[0].to.map((each) => each.toObjectId), listed.results.map((each) => each.toObjectId));
    await associations.v4.basicApi.archive("contacts", one.id, "companies", firm.id);
    const after = await associations.v4.basicApi.getPage("contacts", one.id, "companies");
    return { to: listed.results.map((each) => each.toObjectId), types: listed.results[0].associationTypes, firm: firm.id, after: after.results.length };
  },

  async owners() {
    const page = await owners.ownersApi.getPage();
    const one = await owners.ownersApi.getById(Number(page.results[0].id));
    return { count: page.results.length, same: one.email === page.results[0].email };
  },

  async pipelines() {
    const { results } = await pipelines.pipelinesApi.getAll("contacts");
    const stages = await pipelines.pipelineStagesApi.getAll("contacts", results[0].id);
    return { stages: stages.results.map((each) => each.id), same: results[0].stages.length === stages.results.length };
  },

  async tokens() {
    const stranger = new Client({ accessToken: "pat-eu1-wrong", basePath: ready.hubspot });
    assert.equal((await refused(stranger.crm.contacts.basicApi.getPage())).status, 401);
    const app = [ready.hubspot_client_id, ready.hubspot_client_secret];
    const first = await stranger.oauth.tokensApi.create("authorization_code", ready.hubspot_code, ready.hubspot_redirect, ...app);
    const next = await stranger.oauth.tokensApi.create("refresh_token", undefined, undefined, ...app, first.refreshToken);
    assert.notEqual(next.accessToken, first.accessToken);
    stranger.setAccessToken(next.accessToken);
    const page = await stranger.crm.contacts.basicApi.getPage(1);
    const about = await stranger.oauth.accessTokensApi.get(next.accessToken);
    const wrong = await refused(stranger.oauth.tokensApi.create("refresh_token", undefined, undefined, ...app, "dead"));
    return { expiresIn: next.expiresIn, read: page.results.length, hub: about.hubId, wrong: wrong.status };
  },

  async limit() {
    // The client's own answer to "secondly" refusals: it waits and asks again (its option numberOfApiCallRetries).
    const patient = new Client({ accessToken: ready.hubspot_token, basePath: ready.hubspot, numberOfApiCallRetries: 3, limiterOptions: { maxConcurrent: 12 } });
    const wanted = { filterGroups: [], sorts: [], properties: ["email"], limit: 1 };
    const pages = await Promise.all(Array.from({ length: 8 }, () => patient.crm.contacts.searchApi.doSearch(wanted)));
    return { answered: pages.length, total: pages[0].total };
  },
});
