"""The pure core: definitions, operations, values and the state that they fold into."""
