import subprocess
import sys

LINES = """
import logging
{before}
from server.logs import log_to_stderr
log_to_stderr()
log_to_stderr()
logging.getLogger("parley.valkey").info("is back")
logging.getLogger("other").info("of no interest")
"""


def _stderr(before: str = "") -> list[str]:
    code = LINES.format(before=before)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stderr.splitlines()


def test_lines_say_when_and_who() -> None:
    (line,) = _stderr()
    assert line.endswith(" INFO parley.valkey: is back")
    assert line[:2] == "20"


def test_what_is_configured_stays() -> None:
    assert _stderr("logging.basicConfig(format='mine: %(message)s', level='INFO')") == [
        "mine: is back",
        "mine: of no interest",
    ]
