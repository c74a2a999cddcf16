import re

from email_validator import EmailNotValidError, validate_email

from core.errors import BadInput

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What JSON can carry and PostgreSQL's text cannot: NUL and lone surrogates."""


MAX_SEARCH = 200
MAX_WORDS = 16
"""Of a search: each has its rows, and all that match any are looked at."""


def storable(value: str, *field: str) -> str:
    """Raises BadInput for text that PostgreSQL cannot hold."""
    if found := UNSTORABLE.search(value):
        nul = found[0] == "\0"
        raise BadInput("Must not contain NUL." if nul else "Is not valid Unicode.", field)
    return value


def normalised(name: str) -> str:
    """Usernames and e-mails compare without case and surrounding space."""
    return name.strip().casefold()


def normalised_email(text: str) -> str:
    """Also one form of several that a domain can be written in. What is no address stays as it
    is, but for case and space."""
    try:
        return validate_email(normalised(text), check_deliverability=False).normalized
    except EmailNotValidError:
        return normalised(text)


def pattern(text: str, *field: str) -> str:
    """For ILIKE: finds `text` as it stands, wherever it is."""
    escaped = storable(text, *field).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def searchable(text: str, *field: str) -> str:
    """What to search for, stripped. Raises BadInput for more than a search can bear."""
    words = storable(text, *field).strip()
    if len(words) > MAX_SEARCH:
        raise BadInput(f"Must have at most {MAX_SEARCH} characters.", field)
    if len(re.findall(r"\w+", words)) > MAX_WORDS:
        raise BadInput(f"Must have at most {MAX_WORDS} words.", field)
    return words
