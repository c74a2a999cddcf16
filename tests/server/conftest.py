from tests.schema.conftest import acme, cast, client

__all__ = ["acme", "cast", "client"]
