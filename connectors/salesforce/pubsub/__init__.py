"""Change Data Capture through Salesforce's Pub/Sub API: who changed, as it happens."""
