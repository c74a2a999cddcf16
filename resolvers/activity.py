"""When sessions were last used, written a batch at a time: no request pays for it."""

import asyncio
import logging
from datetime import datetime
from uuid import UUID

from core.time import now
from tables.engine import DB

log = logging.getLogger("parley.activity")

FLUSH_SECONDS = 15.0


class Activity:
    def __init__(self) -> None:
        self._seen: dict[UUID, datetime] = {}

    def note(self, session_id: UUID) -> None:
        self._seen[session_id] = now()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:
                log.exception("cannot write when sessions were last used: tried again later")

    async def flush(self) -> None:
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        ids = sorted(seen)  # in one order: two processes cannot deadlock
        try:
            async with DB.identity():
                await DB.execute(
                    """UPDATE sessions s SET last_activity_at = used.at
                    FROM (SELECT s.id, seen.at FROM sessions s
                          JOIN unnest($1::uuid[], $2::timestamptz[]) AS seen (id, at) USING (id)
                          WHERE s.last_activity_at < seen.at ORDER BY s.id
                          FOR NO KEY UPDATE OF s) AS used
                    WHERE s.id = used.id""",
                    ids,
                    [seen[id] for id in ids],
                )
        except BaseException:
            self._seen = seen | self._seen
            raise
