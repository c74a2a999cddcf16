from pathlib import Path

import pytest

from tests.conftest import Database
from tests.ops.chat_file import Workbench


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Workbench:
    return Workbench(database, tmp_path)
