"""A GraphQL executor that works level by level (docs/execution.md). Knows no chat."""
