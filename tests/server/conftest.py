from tests.schema.conftest import cast, client

__all__ = ["cast", "client"]
