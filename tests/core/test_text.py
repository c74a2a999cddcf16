import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.text import storable


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_all_that_postgresql_can_hold_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\0", "Must not contain NUL."),
        ("\ud800", "Is not valid Unicode."),
        ("a\udfffb", "Is not valid Unicode."),
    ],
)
def test_what_it_cannot_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        storable(text, "input", "title")
    assert caught.value.field == ("input", "title")
