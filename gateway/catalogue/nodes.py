"""Nodes: their epochs, and how far the catalogue has what each received."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.catalogue.database import Database
from gateway.catalogue.queries import queries
from gateway.errors import CatalogueSchemaError, NotFoundError
from gateway.model.identifiers import NodeId, VaultId


@dataclass(frozen=True, slots=True)
class NodeStart:
    """What a node learns when it starts."""

    epoch: int
    """The new epoch, above every earlier one."""
    catalogued_through: tuple[tuple[int, int], ...]
    """(epoch, position) of the earlier epochs: what its journal has after these is landed again."""


class Nodes:
    """Rows of nodes and epochs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, node: NodeId, *, name: str = "", epoch_least: int = 1) -> NodeStart:
        """Raises the node's epoch: above the one here, at least `epoch_least` (the data folder's plus one).

        If the outcome is unknown, simply start again: a skipped epoch costs nothing.
        """
        async with self._database.transaction() as connection:
            before = await connection.fetch(queries("nodes")["epochs"], node)
            epoch: int = await connection.fetchval(queries("nodes")["raise_epoch"], node, name, epoch_least)
            await connection.execute(queries("nodes")["insert_epoch"], node, epoch)
        return NodeStart(epoch, tuple((row["epoch"], row["catalogued_through"]) for row in before))

    async def adopt(
        self, node: NodeId, epochs: Sequence[int], vaults: Sequence[VaultId]
    ) -> tuple[tuple[int, int], ...]:
        """Makes room for what a journal holds, whatever became of the catalogue: (epoch, position) landed.

        The journal is the truth: a catalogue that was lost, or restored from an earlier day, learns again of
        epochs and vaults that it does not know. Such a vault is named after its id until a person names it.
        """
        async with self._database.transaction() as connection:
            await connection.execute(queries("nodes")["adopt_vaults"], list(vaults))
            await connection.execute(queries("nodes")["adopt_epochs"], node, list(epochs))
            rows = await connection.fetch(queries("nodes")["epochs"], node)
        return tuple((row["epoch"], row["catalogued_through"]) for row in rows if row["epoch"] in epochs)

    async def catalogued_through(self, node: NodeId, epoch: int) -> int:
        """The position through which the catalogue has everything of that epoch. Raises `NotFoundError`."""
        async with self._database.connection() as connection:
            through: int | None = await connection.fetchval(
                queries("nodes")["catalogued_through"], node, epoch
            )
        if through is None:
            raise NotFoundError(f"epoch {epoch} of node {node} was never started")
        return through

    async def locator_key(self) -> bytes:
        """The 32-byte key of the locator's hashes, the same for the whole archive and for ever."""
        async with self._database.connection() as connection:
            key: bytes | None = await connection.fetchval(queries("nodes")["locator_key"])
        if key is None:
            raise CatalogueSchemaError("the archive has no locator key")
        return key
