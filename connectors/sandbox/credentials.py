"""The credentials of every pretend account: fixed, public, and of use on loopback only."""

HUBSPOT_TOKEN = "pat-eu1-leadpact-sandbox"
HUBSPOT_CLIENT_ID = "leadpact-hubspot-sandbox"
HUBSPOT_CLIENT_SECRET = "hubspot-sandbox-secret"
HUBSPOT_REFRESH_TOKEN = "eu1-leadpact-sandbox-refresh"
SALESFORCE_CLIENT_ID = "leadpact-sandbox"
SALESFORCE_CLIENT_SECRET = "salesforce-sandbox-secret"
SALESFORCE_DOMAIN = "leadpact-sandbox.my"
