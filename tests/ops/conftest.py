from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.ops.chat_file import Workbench
from tests.ops.places import temporary_place
from tests.schema.conftest import cast, client

__all__ = ["cast", "client"]


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Workbench:
    return Workbench(database, tmp_path)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory that PostgreSQL may live in."""
    with temporary_place() as directory:
        yield directory
