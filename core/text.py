from core.errors import BadInput


def storable(value: str, *field: str) -> str:
    """Refuses what PostgreSQL cannot hold: NUL, and lone surrogates (JSON may carry them)."""
    if "\0" in value:
        raise BadInput("Must not contain NUL.", field)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadInput("Is not valid Unicode.", field) from error
    return value


def normalised(name: str) -> str:
    """Usernames and e-mails compare without case and surrounding space."""
    return name.strip().casefold()


def pattern(text: str, *field: str) -> str:
    """For ILIKE: finds `text` as it stands, wherever it is."""
    escaped = storable(text, *field).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
