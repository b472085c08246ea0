"""The effects: where the server comes from, and how operations reach it."""
