"""Prints the schema that clients see. The one module of `ops` that knows GraphQL."""

from schema.schema import schema

print(schema.as_str())
