"""The whole: all sections together, what they must know of each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.errors import SettingsError
from gateway.settings.rendering import render
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
from gateway.settings.values import Seconds, is_loopback, path_of

ENV_PREFIX = "KUVA_"


class Settings(BaseSettings):
    """Everything that can be set. Environment variables `KUVA_...` (`KUVA_DICOM__PORT`) win over the file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    data: Annotated[Path, AfterValidator(path_of)] = Field(
        default=Path(".kuva"), description="The data folder: journal, store, embedded PostgreSQL."
    )
    drain_seconds: Seconds = Field(
        default=30.0, description="On SIGTERM, time for associations to end by themselves."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, else JSON lines."
    )
    node: NodeSettings = NodeSettings()
    dicom: DicomSettings = DicomSettings()
    http: HttpSettings = HttpSettings()
    journal: JournalSettings = JournalSettings()
    store: StoreSettings = StoreSettings()
    volumes: VolumesSettings = VolumesSettings()
    commitment: CommitmentSettings = CommitmentSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    profile: ProfileSettings = ProfileSettings()

    configured: bool = Field(default=False, exclude=True, repr=False)

    @property
    def open_access(self) -> bool:
        """Whether any caller on loopback may store into a demo vault: only where nothing is configured."""
        return not self.configured

    @property
    def store_folder(self) -> Path:
        """Where the folder store is."""
        return self.data / self.store.path.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; there are no other sources."""
        return env_settings, init_settings

    def check(self) -> None:
        """What one field cannot know of another. Raises `SettingsError` with every finding."""
        findings = tuple(_cross_findings(self))
        if findings:
            raise SettingsError(findings)

    def render(self) -> str:
        """The settings in force as a documented `kuva.toml`; passwords are masked."""
        return "\n".join(render(self)) + "\n"


def _cross_findings(settings: Settings) -> Iterator[str]:
    if not settings.configured:
        for name, host in (("dicom.host", settings.dicom.host), ("http.host", settings.http.host)):
            if not is_loopback(host):
                yield f"{name}: {host} is not loopback, and without a configuration file anybody may store"
    if settings.dicom.associations_per_ae_max > settings.dicom.associations_max:
        yield "dicom.associations_per_ae_max: more than dicom.associations_max"
    if settings.journal.capacity % settings.journal.segment:
        yield "journal.capacity: not a whole number of segments"
    if settings.journal.capacity < 4 * settings.journal.segment:
        yield "journal.capacity: fewer than four segments"
    if settings.journal.capacity // settings.journal.segment > JOURNAL_SEGMENTS_MAX:
        yield f"journal.capacity: more than {JOURNAL_SEGMENTS_MAX} segments; make journal.segment longer"
    if settings.journal.segment % 4096:
        yield "journal.segment: not a multiple of 4 KiB"
    if settings.volumes.gather_seconds_max < settings.volumes.gather_seconds:
        yield "volumes.gather_seconds_max: less than volumes.gather_seconds"
    if settings.volumes.age_seconds < settings.volumes.quiet_seconds:
        yield "volumes.age_seconds: less than volumes.quiet_seconds"
    if settings.dicom.port and settings.dicom.port == settings.http.port:
        yield "http.port: the same as dicom.port"
    if settings.catalogue.migration_dsn and not settings.catalogue.dsn:
        yield "catalogue.migration_dsn: has no meaning without catalogue.dsn"
