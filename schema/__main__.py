"""python -m schema: prints the schema that clients see."""

from schema.schema import schema

print(schema.as_str())
