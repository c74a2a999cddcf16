"""Servers, what they need, and people, for a storm."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from ops.database import create_database
from ops.migrate import migrate
from ops.postgres import running
from ops.postgres_cluster import Cluster
from ops.progress import silent
from tests.conftest import Database
from tests.graph import Cast
from tests.ops.places import temporary_place
from tests.server.pair import at_the_same_time
from tests.server.processes import Server, processes
from tests.torture.following import over_events, over_gql, over_websocket
from tests.torture.place import Place
from tests.torture.storm import PATIENT, PLACES, Outage, Storm
from tests.torture.subscriber import Subscriber
from tests.torture.wire import Wire
from tests.torture.writer import Writer
from tests.valkey import ValkeyServer

WRITERS, LISTENERS, SUBSCRIBERS = 20, 20, 100
FOLLOWS = [over_websocket] * 8 + [over_events] * 2
GQL = 5
REST_SECONDS = 0.3
"""Between two requests of a writer."""

Bus = Literal["notify", "valkey"]


@asynccontextmanager
async def storm(bus: Bus, poll_seconds: float, seed: int) -> AsyncIterator[Storm]:
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(temporary_place()) / "postgres"
        directory = stack.enter_context(running(home))
        database = Database(directory, "parley")
        await create_database(directory)
        await migrate(database.url("parley_owner"), silent)
        wire = await stack.enter_async_context(Wire(directory))
        settings: dict[str, object] = {
            "listen_database_url": f"postgresql://parley_app@127.0.0.1:{wire.port}/parley",
            "subscription_poll_seconds": poll_seconds,
            **dict.fromkeys(("limit_address", "limit_user", "limit_tenant"), "off"),
        }
        outages: list[Outage] = [
            (wire.cut_one, wire.restore),
            (wire.hush, wire.restore),
            (wire.cut, wire.restore),
        ]
        if bus == "valkey":
            valkey = stack.enter_context(ValkeyServer())
            settings["valkey_url"] = valkey.url
            outages = [(valkey.pause, valkey.resume), (valkey.stop, valkey.start)]
        servers = await stack.enter_async_context(processes(database, **settings))
        places, writers, subscribers = await _people(database, servers, chance)
        cluster = Cluster.at(home, silent)
        listening = at_the_same_time(*(subscriber.run() for subscriber in subscribers))
        await stack.enter_async_context(listening)
        yield Storm(chance, database, cluster, servers, outages, places, writers, subscribers)


async def _people(
    database: Database, servers: list[Server], chance: random.Random
) -> tuple[list[Place], list[Writer], list[Subscriber]]:
    """Every second subscriber begins where the conversation does."""
    connection = await database.connect()
    cast = Cast(connection)
    tenant = await cast.tenant("storm")
    people = [await cast.person(f"person-{n}", tenant) for n in range(WRITERS + LISTENERS)]
    for person in people:
        await cast.member(tenant, person.id)
    places = [
        Place(tenant, await cast.conversation(tenant, *(person.id for person in people)))
        for _ in range(PLACES)
    ]
    await connection.close()
    writers = [
        Writer(people[n], places[n % PLACES], servers, random.Random(chance.random()), REST_SECONDS)
        for n in range(WRITERS)
    ]
    subscribers = [
        Subscriber(
            f"subscriber {n}",
            people[WRITERS + n % LISTENERS],
            places[n % PLACES],
            servers[1:] if n < PATIENT else servers,  # the first one is killed
            over_gql if n % (SUBSCRIBERS // GQL) == 1 else chance.choice(FOLLOWS),
            random.Random(chance.random()),
        )
        for n in range(SUBSCRIBERS)
    ]
    for subscriber in subscribers[1::2]:
        subscriber.begin_after(0)
    return places, writers, subscribers
