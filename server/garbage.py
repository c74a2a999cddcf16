"""Python's collector of cycles. What a request leaves behind is freed at once, but for a few."""

import gc

THRESHOLDS = (50_000, 10, 10)
"""Objects made since the last collection, and collections of the younger generation."""


def spare_garbage_collection() -> None:
    """Once all is loaded: what is there now stays, and is not looked through again and again. By
    default the collector runs after 700 objects, which is several times in a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
