"""The shared qualification policy, and everything that can be asked of it."""
