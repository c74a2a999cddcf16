"""The language of a workspace's words: `settings.searchLanguage`.

The database keeps what is searched in it, and renews all of it in the transaction that changes
the setting (`search_language`, `renew_search` of the migrations).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from core.errors import BadInput, Conflict

KEY = "searchLanguage"
FIELD = ("settings", KEY)

# PostgreSQL's text search configurations. `simple` knows no word forms; it is also that of a
# workspace without the setting.
NAMES = """simple arabic armenian basque catalan danish dutch english estonian finnish french
    german greek hindi hungarian indonesian irish italian lithuanian nepali norwegian portuguese
    romanian russian serbian spanish swedish tamil turkish yiddish"""
LANGUAGES = tuple(NAMES.split())


def require_language(settings: Mapping[str, object]) -> None:
    """Raises BadInput for one that PostgreSQL does not know. None is as good as no setting."""
    language = settings.get(KEY)
    if language is not None and language not in LANGUAGES:
        raise BadInput(f"Must be one of {', '.join(LANGUAGES)}.", FIELD)


@contextmanager
def refusing_slow_renewal(
    before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[None]:
    """Around the change of settings: Conflict when another language takes longer than a statement
    may. Nothing is changed then."""
    try:
        yield
    except asyncpg.QueryCanceledError:
        if before.get(KEY) == after.get(KEY):
            raise
        raise Conflict(
            "There is too much to be found here for another language within a request:"
            " whoever runs the server can set it.",
            FIELD,
        ) from None
