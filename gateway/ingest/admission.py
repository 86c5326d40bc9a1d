"""Admission: calling and called AE title -> grants -> what the association may do."""

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, CatalogueUnavailableError
from gateway.model.association import ApplicationEntity, Grant
from gateway.model.identifiers import AeTitle, VaultId
from gateway.profiles import ContentRules
from gateway.wire.dicom.rejection import CALLING_UNKNOWN, CONGESTION, Greeting, Rejection, rejection_of

log = structlog.get_logger(__name__)

DEMO_VAULT = VaultId(UUID("6b757661-0000-4000-8000-64656d6f0001"))
"""Where any caller on loopback stores while nothing is configured."""
DEMO_VAULT_NAME = "demo"


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an association may do: store into the first vault, fetch from all."""

    caller: ApplicationEntity
    called: AeTitle
    vaults: tuple[VaultId, ...]
    store: _core.Admission


class Gate:
    """Decides who may associate. One read of the catalogue for each association."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        ae_titles: Collection[str],
        open_access: bool,
        content_rules: ContentRules,
    ) -> None:
        self._catalogue = catalogue
        self._ae_titles = frozenset(ae_titles)
        self._open_access = open_access
        self._content_rules = content_rules

    async def prepare(self) -> None:
        """With open access: makes the demo vault."""
        if self._open_access:
            await self._catalogue.grants.create_vault(DEMO_VAULT, DEMO_VAULT_NAME)

    async def vaults(self) -> tuple[VaultId, ...]:
        """All vaults, for the operator's own commands."""
        return tuple(vault.id for vault in await self._catalogue.grants.vaults())

    async def admit(self, greeting: Greeting, *, calling: str | None, address: str) -> Admitted | Rejection:
        """Who this is and where its instances go; or the exact rejection (PS3.8 9.3.4)."""
        try:
            admitted = await self._known(calling, greeting.called, address)
        except (CatalogueError, CatalogueUnavailableError) as error:
            log.warning("grants cannot be read", calling=calling, reason=str(error))
            return CONGESTION
        rejection = rejection_of(greeting, called_titles=self._ae_titles, caller_known=admitted is not None)
        return rejection or admitted or CALLING_UNKNOWN

    async def _known(self, calling: str | None, called: str | None, address: str) -> Admitted | None:
        if calling is None or called is None or called not in self._ae_titles:
            return None
        grants = await self._catalogue.grants.resolve(calling=calling, called=called, at=datetime.now(UTC))
        if grants:
            return self._admitted(grants, address)
        if self._open_access and _is_loopback(address):
            guest = ApplicationEntity(title=AeTitle(calling))
            return self._admission(guest, AeTitle(called), (DEMO_VAULT,), address)
        return None

    def _admitted(self, grants: Sequence[Grant], address: str) -> Admitted:
        first = grants[0]
        vaults = tuple(dict.fromkeys(grant.vault for grant in grants))
        return self._admission(first.caller, first.called, vaults, address)

    def _admission(
        self, caller: ApplicationEntity, called: AeTitle, vaults: tuple[VaultId, ...], address: str
    ) -> Admitted:
        rules = self._content_rules.for_ae(caller.rule_preset, caller.rule_overrides)
        store = _core.Admission(
            vault=vaults[0].bytes,
            calling=caller.title,
            called=called,
            address=address,
            preset=rules.preset.value,
            rules=rules.pairs(),
        )
        return Admitted(caller, called, vaults, store)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].partition("%")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
