"""A study: the row of the catalogue, its attributes as text, and the questions asked of it."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId


@dataclass(frozen=True, slots=True)
class StudyAttributes:
    """Patient and study attributes, decoded to text by the data set's own character set.

    They are those of the first instance that was catalogued; an absent or unreadable value is "".
    Dates and times stay as DICOM text (PS3.5 6.2): a date without time stays a date.
    """

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    study_date: str = ""
    study_time: str = ""
    timezone_offset: str = ""
    accession_number: str = ""
    study_id: str = ""
    description: str = ""
    referring_physician: str = ""
    modality: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """One study as the catalogue knows it; counts cover everything catalogued, not quarantined."""

    id: int
    """The catalogue's own key; its upper bits carry the month in which the study was first seen."""
    vault: VaultId
    uid: StudyUid
    attributes: StudyAttributes
    first_seen: datetime
    instances: int
    length: int
    """All data sets together, bytes."""


@dataclass(frozen=True, slots=True)
class StudyBlock:
    """One index block of a study, written and read by Rust: an open batch's or a verified volume's."""

    node: NodeId
    epoch: int
    """Of an open batch. 0 of a volume, like its positions: its instances say theirs themselves."""
    first_position: int
    last_position: int
    instances: int
    length: int
    """All data sets together, bytes."""
    landed_at: datetime
    """Of a volume: when it was verified."""
    block: bytes = field(repr=False)
    kind: str = "open"
    """`open`: in a node's journal only; `volume`."""
    volume: VolumeId | None = None
    key: str | None = None
    """Where the store keeps the volume."""
    damaged: bool = False
    """The volume was found damaged: nothing rests on it."""


@dataclass(frozen=True, slots=True)
class StudyFilters:
    """What a list of studies is narrowed by; an empty field does not narrow.

    `patient_name` matches the beginning of the normalised name; dates are DICOM text, YYYYMMDD, inclusive.
    """

    vaults: tuple[VaultId, ...]
    study_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    study_date_from: str = ""
    study_date_to: str = ""


@dataclass(frozen=True, slots=True)
class StudyPage:
    """One page of studies, newest first; `after` is the key with which the next page is asked, if any."""

    studies: tuple[Study, ...]
    after: int | None


def normalise_name(name: str) -> str:
    """A person name (PS3.5 6.2.1) as it is searched: no case, no marks, one space between words.

    Embedded PostgreSQL has neither ICU nor unaccent, so this is ours; both what is stored and what is
    asked go through it. Component groups and components fall apart into words: `Sälä^Åke` -> `sala ake`.
    """
    apart = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(" " if c in "^=" else c for c in apart if not unicodedata.combining(c))
    return " ".join(kept.split())
