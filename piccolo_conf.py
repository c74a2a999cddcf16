"""What Piccolo's command line runs on: the owner's login, for migrations only.

The application never comes here: its tables carry `tables.engine.DB`.
"""

from piccolo.conf.apps import AppRegistry

from core.settings import Settings
from tables.engine import LazyEngine

DB = LazyEngine({"dsn": Settings().owner_url})
APP_REGISTRY = AppRegistry(apps=["tables.piccolo_app"])
