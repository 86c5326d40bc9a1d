"""A profile: what is accepted, how content is judged, in which words; checked and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.identifiers import Uid
from gateway.model.refusal import Preset, Severity
from gateway.wire.dicom.negotiation import Acceptance
from gateway.wire.dicom.rejection import Rejection


@dataclass(frozen=True, slots=True)
class CoreTables:
    """What the core can do, for a profile to be checked against."""

    rule_codes: frozenset[str]
    """Codes of the content rules."""
    settable_rules: frozenset[str]
    """Those of them whose severity is not fixed: framing and identity always refuse."""
    transfer_syntaxes: frozenset[str]
    """Transfer syntaxes that it can scan, and whose instances hold their pixels."""


@dataclass(frozen=True, slots=True)
class ContentRules:
    """Severities of the content rules: a preset, and single rules over it."""

    preset: Preset
    overrides: tuple[tuple[str, Severity], ...] = ()
    """(rule code, severity), sorted by code."""

    def for_ae(self, preset: str | None, overrides: tuple[tuple[str, str], ...]) -> "ContentRules":
        """As an AE deviates. A preset of its own replaces the profile's with all its overrides.

        ValueError for a preset or severity that does not exist.
        """
        base = self if preset is None else ContentRules(Preset(preset))
        merged = {**dict(base.overrides), **{code: Severity(severity) for code, severity in overrides}}
        return ContentRules(base.preset, tuple(sorted(merged.items(), key=lambda pair: pair[0])))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The overrides in the words that the core understands."""
        return tuple((code, severity.value) for code, severity in self.overrides)


@dataclass(frozen=True, slots=True)
class PatientIdentifiers:
    """How patients are identified where the profile holds."""

    official_issuer: Uid | None = None
    """Issuer of the official personal identifier; None: there is none."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Rules of one country or site, one version of them."""

    name: str
    version: str
    title: str
    lineage: tuple[str, ...]
    """The profiles that it is made of, `name/version`, itself first; for the log and for records."""
    acceptance: Acceptance = field(repr=False)
    """What is negotiated, private SOP classes of the settings included."""
    content_rules: ContentRules
    patient_identifiers: PatientIdentifiers
    uncommitted_after_days: float
    """From then on operators are told of what was verified and never committed."""
    keywords: Mapping[Uid, str] = field(repr=False)
    """Keywords of the SOP classes and transfer syntaxes accepted, for people."""
    rejection_texts: Mapping[str, str] = field(repr=False)

    def text_of(self, rejection: Rejection) -> str:
        """The words for a rejection: the profile's, else ours."""
        return self.rejection_texts.get(rejection.code, rejection.text)
