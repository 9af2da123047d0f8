// The Pub/Sub client of somebody else on the pretend Salesforce, by its public methods alone.
import assert from "node:assert/strict";
import PubSubApiClient from "salesforce-pubsub-api-client";
import { ready, run } from "./jobs.mjs";

const EVERY = "/data/ChangeEvents";
const LEADS = "/data/LeadChangeEvent";
const SECONDS = 20;
const silent = Object.fromEntries(["debug", "info", "warn", "error"].map((name) => [name, () => {}]));

async function post(path, body, headers = {}) {
  const answer = await fetch(`${ready.salesforce}${path}`, { method: "POST", body, headers });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}
const login = () => post("/services/oauth2/token", new URLSearchParams({
  grant_type: "client_credentials",
  client_id: ready.salesforce_client_id, client_secret: ready.salesforce_client_secret,
}));
const person = (action, more) => post("/_sandbox/people", JSON.stringify({ action, object: "Lead", ...more }));

const token = await login();
async function connected(accessToken = token.access_token) {
  const client = new PubSubApiClient({
    authType: "user-supplied", pubSubEndpoint: ready.pubsub, rejectUnauthorizedSsl: false,
    accessToken, instanceUrl: token.instance_url, organizationId: token.id.split("/").at(-2),
  }, silent);
  await client.connect();
  return client;
}

/** What a subscription told until it had `count` events, or an error came. */
async function listened(subscribe, count, accessToken) {
  const client = await connected(accessToken);
  const events = [];
  try {
    return await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`only ${events.length} events`)), SECONDS * 1000).unref();
      subscribe(client, (subscription, kind, data) => {
        if (kind === "event") events.push(data);
        if (kind === "event" && events.length === count) resolve({ events });
        if (kind === "error") resolve({ events, code: data.code, error: data.metadata?.get("error-code")[0] });
        if (kind === "lastEvent" && events.length < count) client.requestAdditionalEvents(subscription.topicName, 1);
      });
    });
  } finally {
    client.close();
  }
}
const seen = ({ replayId, payload: { ChangeEventHeader: header, ...values } }) => ({
  replayId, object: header.entityName, type: header.changeType, ids: header.recordIds, origin: header.changeOrigin,
  transaction: header.transactionKey, sequence: header.sequenceNumber, user: header.commitUser,
  changed: header.changedFields, nulled: header.nulledFields,
  values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)),
});
const first = { FirstName: "Ada", LastName: "Byron", Company: "Engines", City: "London", NumberOfEmployees: 12 };
let told;

await run({
  async life() {
    const { id } = await post("/services/data/v66.0/sobjects/Lead", JSON.stringify(first), {
      "Content-Type": "application/json", Authorization: `Bearer ${token.access_token}`,
      "Sforce-Call-Options": "client=pubsub-node",
    });
    await person("edit", { id, fields: { LastName: "Lovelace", City: null, Title: "Countess", NumberOfEmployees: null } });
    await person("convert", { id });
    const { events } = await listened((client, callback) => client.subscribeFromEarliestEvent(EVERY, callback, 100), 6);
    told = events.map(seen);
    return { id, told };
  },

  async one() {
    const { events } = await listened((client, callback) => client.subscribeFromEarliestEvent(LEADS, callback, 1), 3);
    return events.map((each) => seen(each).type);
  },

  async replay() {
    const from = (client, callback) => client.subscribeFromReplayId(EVERY, callback, 100, told[1].replayId);
    const { events } = await listened(from, 4);
    return events.map((each) => each.replayId === told[2 + events.indexOf(each)].replayId);
  },

  async live() {
    const { id } = await person("create", { fields: { ...first, LastName: "Somerville" } });
    const waiting = listened((client, callback) => {
      client.subscribe(LEADS, callback, 1);
      setTimeout(() => person("delete", { id }), 500);
    }, 1);
    const { events: [event] } = await waiting;
    return { type: seen(event).type, same: seen(event).ids[0] === id, values: seen(event).values };
  },

  async expired() {
    return listened((client, callback) => client.subscribeFromReplayId(EVERY, callback, 10, 1), 1);
  },

  async stranger() {
    return listened((client, callback) => client.subscribe(EVERY, callback, 1), 1, "00D!dead");
  },
});
// The client's close leaves the streams of its subscriptions open, and node would wait for them.
process.exit();
