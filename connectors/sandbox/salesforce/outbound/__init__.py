"""Outbound Messages: what the pretend org tells a listener about records, until the listener says it has heard."""
