from ops.tinydb.file import CannotImport
from ops.tinydb.importer import import_tinydb
from ops.tinydb.summary import Summary

__all__ = ["CannotImport", "Summary", "import_tinydb"]
