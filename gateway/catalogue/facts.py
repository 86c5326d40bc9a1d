"""Facts: what was decided and is on its way to the object store."""

from collections.abc import Sequence
from datetime import datetime

from gateway.catalogue.database import Database
from gateway.catalogue.queries import queries
from gateway.model.fact import Fact, FactKind
from gateway.model.identifiers import FactId, VaultId


class Facts:
    """A fact is made in the transaction of what it tells; what it announces waits until the store has it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unwritten(self, limit: int = 100) -> tuple[Fact, ...]:
        """Oldest first, of all vaults. Any node may write them: the store takes each once."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("facts")["unwritten"], limit)
        return tuple(
            Fact(
                FactId(row["id"]), VaultId(row["vault"]), FactKind(row["kind"]),
                row["decided_at"], row["payload"],
            )
            for row in rows
        )  # fmt: skip

    async def written(self, facts: Sequence[FactId]) -> None:
        """The store has them, durable; the catalogue lets their payloads go."""
        async with self._database.transaction(every_vault=True) as connection:
            await connection.execute(queries("facts")["written"], list(facts))

    async def renew(self, fact: FactId) -> None:
        """Gives it a new id: the store has something else under the key of the old one, for ever."""
        async with self._database.transaction(every_vault=True) as connection:
            await connection.execute(queries("facts")["renew"], fact)

    async def waiting(self) -> tuple[int, datetime | None]:
        """For health and metrics: how many are not in the store yet, and the oldest one's time."""
        async with self._database.transaction(every_vault=True) as connection:
            row = await connection.fetchrow(queries("facts")["waiting"])
        assert row is not None
        return row["facts"], row["oldest"]
