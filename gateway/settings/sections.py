"""Sections: one frozen class for each table of `kuva.toml`, with its limits and its words."""

import socket
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.settings.values import AeTitleText, Bytes, Dsn, Host, Number, Port, Seconds, UidText, path_of

JOURNAL_SEGMENTS_MAX = 65_536
"""As many as the journal's roster can name (docs/design/journal-format.md)."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(_Section):
    """This node among others."""

    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name for people; the node's id is kept in the data folder.",
    )


class DicomSettings(_Section):
    """Where and how DICOM is spoken (PS3.8)."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback only, unless this file says otherwise.",
    )
    port: Port = Field(default=11112, description="TCP port.")
    ae_titles: tuple[AeTitleText, ...] = Field(
        default=("KUVA",), min_length=1, description="Called AE titles that are ours."
    )
    associations_max: Number = Field(
        default=200, ge=1, le=10_000, description="Associations at once on this node."
    )
    associations_per_ae_max: Number = Field(
        default=50, ge=1, le=10_000, description="Associations at once of one calling AE title."
    )
    artim_seconds: Seconds = Field(
        default=30.0,
        description="ARTIM: from transport connection to A-ASSOCIATE, and for the peer to close.",
    )
    idle_seconds: Seconds = Field(
        default=600.0, description="Quiet time after which an association is aborted; may differ per AE."
    )
    progress_floor_bytes_per_second: Bytes = Field(
        default=1 << 10, description="Slowest progress that a message may make, averaged over the window."
    )
    progress_window_seconds: Seconds = Field(default=60.0, description="Window of the progress floor.")


class HttpSettings(_Section):
    """Health and metrics."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback only, unless this file says otherwise.",
    )
    port: Port = Field(default=8080, description="TCP port.")


class JournalSettings(_Section):
    """The node's journal of instances that are not yet in a verified volume."""

    capacity: Bytes = Field(
        default=4 << 30,
        ge=256 << 20,
        le=JOURNAL_SEGMENTS_MAX << 30,
        description="Room of all segments; above 90 % fill new instances are refused (A700H).",
    )
    segment: Bytes = Field(
        default=64 << 20, ge=4 << 20, le=1 << 30, description="Size of one pre-written segment file."
    )
    overwrite_after_seconds: int = Field(
        default=24 * 60 * 60,
        ge=60,
        le=30 * 24 * 60 * 60,
        description="A segment that is free for so long is overwritten, so that nothing disposed of lingers.",
    )


class StoreSettings(_Section):
    """The object store, where volumes and facts are kept."""

    path: Annotated[Path, AfterValidator(path_of)] = Field(
        default=Path("store"),
        description="A folder, best on other disks than the journal; relative to the data folder.",
    )


class VolumesSettings(_Section):
    """When instances leave the journal, as a volume of their study in the object store."""

    size_target: Bytes = Field(
        default=128 << 20,
        ge=1 << 20,
        le=1 << 30,
        description="So much of one study is assembled although more of it may come.",
    )
    quiet_seconds: Seconds = Field(
        default=30.0, le=86_400, description="A study to which nothing was added for so long is assembled."
    )
    age_seconds: Seconds = Field(
        default=600.0, le=86_400, description="What has waited so long is assembled although more arrives."
    )
    gather_seconds: Seconds = Field(
        default=3.0,
        le=3_600,
        description="After a request for commitment: quiet time in which further requests may join it.",
    )
    gather_seconds_max: Seconds = Field(
        default=30.0, le=3_600, description="After the first request, when others keep joining."
    )
    gather_items_max: Number = Field(
        default=32, ge=1, le=100_000, description="A request for so many instances is not gathered."
    )
    gather_bytes_max: Bytes = Field(
        default=16 << 20, ge=1 << 10, description="So much asked for is not gathered either."
    )
    assemblies_max: Number = Field(
        default=2, ge=1, le=64, description="Volumes assembled, stored and read back at once."
    )
    tries_max: Number = Field(
        default=5,
        ge=1,
        le=100,
        description="Volumes of one study that may fail in a row before an operator has to look.",
    )
    quarantine_seconds: Seconds = Field(
        default=3_600.0,
        description="A quarantined instance that nobody has resolved for so long leaves the journal, too.",
    )


class CommitmentSettings(_Section):
    """Storage commitment (PS3.4 Annex J)."""

    parking_seconds: Seconds = Field(
        default=60.0,
        le=86_400,
        description="How long an instance may be missing or unverified before it fails; may differ per AE.",
    )


class CatalogueSettings(_Section):
    """The PostgreSQL (15 or later) that can be asked.

    Without `dsn` an embedded one is run under the data folder.
    """

    dsn: Dsn | None = Field(
        default=None,
        description="postgresql:// URL of the gateway's role (no superuser, no BYPASSRLS, owns nothing).",
    )
    migration_dsn: Dsn | None = Field(
        default=None,
        description="postgresql:// URL of the role that owns the schema; used by `kuva schema migrate` only.",
    )
    connections_max: Number = Field(
        default=8, ge=2, le=200, description="Connections at once from this node."
    )
    query_seconds_max: Seconds = Field(default=30.0, description="Deadline of one query.")


class ProfileSettings(_Section):
    """National and local rules: versioned data files."""

    name: str = Field(
        default="neutral", pattern=r"^[a-z][a-z0-9_-]*$", description="Which profile is in force."
    )
    private_sop_classes: tuple[UidText, ...] = Field(
        default=(), description="Private storage SOP classes accepted beside those of the profile."
    )
