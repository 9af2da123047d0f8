"""Salesforce, over simple-salesforce."""
