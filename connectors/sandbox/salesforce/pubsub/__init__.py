"""Change Data Capture through the Pub/Sub API: what changed in the pretend org, over gRPC."""
