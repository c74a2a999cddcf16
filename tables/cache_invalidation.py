from piccolo.columns import BigInt, Text
from piccolo.table import Table

from tables.base import Global


class CacheInvalidation(Global, Table, tablename="cache_invalidations"):
    """A cache entry that is no longer true, written by triggers in the transaction that changed
    what it says: whoever writes, psql too, every process hears of it."""

    key = Text()
    transaction_id = BigInt(index=True, help_text="Of the writer: tells what a reader has seen.")
