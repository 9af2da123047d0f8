"""The pretend Bulk API 2.0: query jobs and ingest jobs (Salesforce reference, section 5)."""
