"""What clients may write. Every rule validates its input here, before it touches anything."""

import re
from math import isfinite
from typing import Annotated, Any, TypeVar
from unicodedata import category

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from core.errors import BadInput, InvalidInput
from core.text import UNSTORABLE, normalised

MAX_USERNAME = 150
MAX_EMAIL = 254  # RFC 5321: a path has 256, two of them brackets
MAX_NAME = 200
MAX_TITLE = 500
MAX_CONTENT = 100_000
MAX_SLUG = 63
MAX_JSON_BYTES = 16_384
MAX_JSON_DEPTH = 32
MAX_FILENAME = 255
MAX_CONTENT_TYPE = 127
MAX_TAGS = 50
MAX_TAG = 100
MAX_IDEMPOTENCY_KEY = 200

WORDS = {
    "dict_type": "Must be a JSON object.",
    "greater_than_equal": "Must not be negative.",
    "string_type": "Must be text.",
    "tuple_type": "Must be a list.",
    "value_error": "Is not an e-mail address.",
}
"""Instead of Pydantic's, which speak of Python."""

UNCARRIED = "Has a number that JSON cannot carry."

# Of one line, and none of the marks that make text run backwards: a name shows up among others.
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)
VISIBLE = "LNPS"  # Unicode's categories of letters, numbers, punctuation and symbols
USERNAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# tenants_slug_check: it could pass for another workspace's id.
UUID_LIKE = re.compile(r"(0x|[0-9a-f]{2})[0-9a-f]{30}")


def _normalised(value: object) -> object:
    return normalised(value) if isinstance(value, str) else value


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _none_when_blank(value: object) -> object:
    return _stripped(value) or None


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise ValueError("Must not contain NUL or lone surrogates.")
    return text


def _line(text: str, most: int = MAX_NAME) -> str:
    if CONTROL.search(_storable(text)):
        raise ValueError("Must not contain control characters.")
    if not 1 <= len(text) <= most or not any(category(char)[0] in VISIBLE for char in text):
        raise ValueError(f"Must have 1 to {most} characters, and something to see.")
    return text


def _title(text: str) -> str:
    return _line(text, MAX_TITLE)


def _content(text: str) -> str:
    return _sized(text, MAX_CONTENT)


def _key(text: str) -> str:
    return _sized(text, MAX_IDEMPOTENCY_KEY)


def _sized(text: str, most: int) -> str:
    if not 1 <= len(text) <= most:
        raise ValueError(f"Must have 1 to {most} characters.")
    return _storable(text)


def _username(text: str) -> str:
    # No @: a username is never taken for somebody's e-mail address.
    if len(text) > MAX_USERNAME or not USERNAME.fullmatch(text):
        raise ValueError(
            f"Must be letters a to z, digits, and . _ - between them, at most {MAX_USERNAME}."
        )
    return text


def _email(text: str) -> str:
    if len(text) > MAX_EMAIL:
        raise ValueError(f"Must have at most {MAX_EMAIL} characters.")
    return text


def _slug(text: str) -> str:
    if (
        len(text) > MAX_SLUG
        or not SLUG.fullmatch(text)
        or UUID_LIKE.fullmatch(text.replace("-", ""))
    ):
        raise ValueError(
            f"Must be letters a to z, digits, and hyphens between them, at most {MAX_SLUG},"
            " and not read as a UUID."
        )
    return text


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    _storable_json(value)
    try:
        size = len(orjson.dumps(value))
    except TypeError:
        raise ValueError(UNCARRIED) from None
    if size > MAX_JSON_BYTES:
        raise ValueError(f"Has {size} bytes, more than {MAX_JSON_BYTES}.")
    return value


def _storable_json(value: object, depth: int = 0) -> None:
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"Is nested more than {MAX_JSON_DEPTH} levels deep.")
    match value:
        case str(text):
            _storable(text)
        case float(number) if not isfinite(number):  # 1e999: orjson would make it null
            raise ValueError(UNCARRIED)
        case dict(items):
            for key, item in items.items():
                _storable(key)
                _storable_json(item, depth + 1)
        case list(items):
            for item in items:
                _storable_json(item, depth + 1)


def _filename(text: str) -> str:
    return _line(text, MAX_FILENAME)


def _content_type(text: str) -> str:
    if len(text) > MAX_CONTENT_TYPE or not CONTENT_TYPE.fullmatch(text):
        raise ValueError(f"Must be as text/plain, at most {MAX_CONTENT_TYPE} characters.")
    return text


def _tag(text: str) -> str:
    return _line(text, MAX_TAG)


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, where it stood first."""
    if len(tags) > MAX_TAGS:
        raise ValueError(f"Must be at most {MAX_TAGS}.")
    return tuple(dict.fromkeys(tags))


Username = Annotated[str, BeforeValidator(_normalised), AfterValidator(_username)]
Email = Annotated[EmailStr, BeforeValidator(_normalised), AfterValidator(_email)]
Name = Annotated[str, BeforeValidator(_stripped), AfterValidator(_line)]
OptionalName = Annotated[Name | None, BeforeValidator(_none_when_blank)]
Slug = Annotated[str, BeforeValidator(_normalised), AfterValidator(_slug)]
Title = Annotated[str, BeforeValidator(_stripped), AfterValidator(_title)]
MessageContent = Annotated[str, AfterValidator(_content)]
IdempotencyKey = Annotated[str, AfterValidator(_key)]
JSONObject = Annotated[dict[str, Any], AfterValidator(_json_object)]
Filename = Annotated[str, BeforeValidator(_stripped), AfterValidator(_filename)]
ContentType = Annotated[str, BeforeValidator(_normalised), AfterValidator(_content_type)]
DocumentContent = Annotated[str, AfterValidator(_storable)]
Tag = Annotated[str, BeforeValidator(_stripped), AfterValidator(_tag)]
Tags = Annotated[tuple[Tag, ...], AfterValidator(_tags)]


class Input(BaseModel):
    model_config = ConfigDict(frozen=True)


Model = TypeVar("Model", bound=Input)


def validated(model: type[Model], **values: object) -> Model:
    """Raises InvalidInput with each fault and the path of its field."""
    try:
        return model(**values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)  # may be a password
        raise InvalidInput([_fault(fault) for fault in faults]) from None


def _fault(fault: Any) -> BadInput:
    cause = fault.get("ctx", {}).get("error")
    message = (
        str(cause) if isinstance(cause, ValueError) else WORDS.get(fault["type"], fault["msg"])
    )
    return BadInput(message, tuple(to_camel(str(part)) for part in fault["loc"]))
