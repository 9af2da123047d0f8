"""Large reads and writes by Bulk API 2.0 (Salesforce reference, section 5)."""
