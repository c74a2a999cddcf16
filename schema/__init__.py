"""The graph: `schema.schema`. Its SDL is printed to schema.graphql, which a test compares."""
