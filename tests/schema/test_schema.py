from core.settings import CHECKOUT
from schema.schema import schema


def test_the_committed_sdl_is_the_schema() -> None:
    committed = (CHECKOUT / "schema" / "schema.graphql").read_text()
    assert committed == schema.as_str() + "\n", (
        "python -m ops schema > schema/schema.graphql, and look at the difference: clients rely"
        " on what is there"
    )
