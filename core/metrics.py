"""What a process counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter

REGISTRY = CollectorRegistry()

OPERATIONS = Counter(
    "parley_graphql_operations",
    'GraphQL operations executed: by a plan, or by graphql-core, where "fallback" says why.',
    ["fallback"],
    registry=REGISTRY,
)
