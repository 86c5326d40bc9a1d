"""Settings: few, typed, read once, validated whole before anything starts."""

from gateway.settings.names import NAMED_AT_MOST, nearest
from gateway.settings.reading import load
from gateway.settings.sections import (
    JOURNAL_SEGMENTS_MAX,
    CatalogueSettings,
    CommitmentSettings,
    DicomSettings,
    HttpSettings,
    JournalSettings,
    NodeSettings,
    ProfileSettings,
    StoreSettings,
    VolumesSettings,
)
from gateway.settings.whole import Settings

__all__ = [
    "JOURNAL_SEGMENTS_MAX",
    "NAMED_AT_MOST",
    "CatalogueSettings",
    "CommitmentSettings",
    "DicomSettings",
    "HttpSettings",
    "JournalSettings",
    "NodeSettings",
    "ProfileSettings",
    "Settings",
    "StoreSettings",
    "VolumesSettings",
    "load",
    "nearest",
]
