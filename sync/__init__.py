"""Moves leads between the CRMs. The only room that knows both, and the only one that remembers."""
