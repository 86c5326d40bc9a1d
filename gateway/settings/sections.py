"""Sections: one frozen class for each table of `kuva.toml`, with its limits and its words."""

import socket

from pydantic import BaseModel, ConfigDict, Field

from gateway.settings.values import AeTitleText, Bytes, Dsn, Host, Number, Port, Seconds, UidText

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
