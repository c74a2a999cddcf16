import subprocess
import sys

from core.settings import CHECKOUT


def test_the_committed_sdl_is_the_schema() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "schema"], check=True, capture_output=True, text=True, cwd=CHECKOUT
    ).stdout
    committed = (CHECKOUT / "schema" / "schema.graphql").read_text()
    assert committed == printed, (
        "python -m schema > schema/schema.graphql, and look at the difference: clients rely on"
        " what is there"
    )
