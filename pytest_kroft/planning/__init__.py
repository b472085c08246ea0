"""Pure planners: (state, policy, choices) -> operations."""
