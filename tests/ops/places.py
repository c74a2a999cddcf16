"""Where embedded databases of tests live."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import _home


@contextmanager
def temporary_place() -> Iterator[Path]:
    """Not pytest's: it closes its directory to all but root while PostgreSQL, which does not run
    as root, is in it, when a second pytest starts."""
    directory = Path(tempfile.mkdtemp(prefix="parley-", dir=_home()))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
