from ops.tinydb.importer import import_tinydb
from ops.tinydb.report import Summary

__all__ = ["Summary", "import_tinydb"]
