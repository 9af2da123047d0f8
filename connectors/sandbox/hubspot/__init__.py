"""The HubSpot side of the sandbox: HubSpot's HTTP API answered from one SQLite file."""
