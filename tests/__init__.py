"""Nothing that a developer has configured reaches a test: their database is not ours to change."""

import os

for name in [name for name in os.environ if name.startswith("PARLEY_")]:
    if not name.startswith("PARLEY_TEST_"):
        del os.environ[name]
os.environ["PARLEY_ENV_FILE"] = os.devnull
os.environ["PARLEY_ENVIRONMENT"] = "test"
# Most tests ask once: planned at first sight, they test what apps that ask again get.
os.environ["PARLEY_COMPILE_AFTER"] = os.environ.get("PARLEY_TEST_COMPILE_AFTER", "0")
