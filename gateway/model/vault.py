"""A vault: the opaque, immutable key of tenancy and storage, and who it belongs to over time."""

from dataclasses import dataclass
from datetime import datetime

from gateway.model.identifiers import VaultId


@dataclass(frozen=True, slots=True)
class Vault:
    """One vault. Its name is for people; everything else refers to the id."""

    id: VaultId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrganisationAttributes:
    """Who a vault's material belongs to, as of `valid_from`: a new version never overwrites an old one."""

    controller: str
    register_type: str
    register_specifier: str
    valid_from: datetime
