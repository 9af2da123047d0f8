"""The Salesforce side of the sandbox: its REST API, its query language and its records."""
