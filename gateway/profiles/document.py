"""A document: one profile file as it is written, before it is extended and frozen."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.model.identifiers import parse_uid
from gateway.model.refusal import Preset, Severity
from gateway.wire.dicom.rejection import REJECTIONS

PROFILE_FORMAT = 1
"""Version of the file format; raised when old programs would misread a new file."""

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_REJECTION_CODES = frozenset(rejection.code for rejection in REJECTIONS)


def _uid(text: str) -> str:
    return parse_uid(text)


def _rejection_code(code: str) -> str:
    if code not in _REJECTION_CODES:
        raise ValueError(f"no rejection has this code; known: {', '.join(sorted(_REJECTION_CODES))}")
    return code


Keyword = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,127}$")]
Name = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
UidText = Annotated[str, AfterValidator(_uid)]
RejectionCode = Annotated[str, AfterValidator(_rejection_code)]
Sentence = Annotated[str, Field(min_length=1, max_length=200)]
SyntaxTable = dict[Keyword, UidText]


class _Table(BaseModel):
    """A table of the file: no key that it does not know, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Negotiation(_Table):
    """`[negotiation]`."""

    operations_invoked_max: int | None = Field(default=None, ge=1, le=16)
    user_identity: Literal["acknowledge", "ignore"] | None = None


class Rules(_Table):
    """`[content_rules]`."""

    preset: Annotated[Preset, Field(strict=False)] | None = None
    overrides: dict[str, Annotated[Severity, Field(strict=False)]] = {}


class Patients(_Table):
    """`[patient_identifiers]`."""

    official_issuer: UidText | None = None


class Commitment(_Table):
    """`[commitment]`."""

    uncommitted_after_days: float = Field(default=7.0, ge=0, le=36_500)


class Without(_Table):
    """`[without]`: keywords that the extended profile has and this one has not."""

    storage_sop_classes: list[Keyword] = []
    transfer_syntaxes: list[Keyword] = []


class Document(_Table):
    """A whole file. What it does not say, the profile that it extends says."""

    format: Literal[1]
    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$")]
    title: Sentence
    extends: Name | None = None
    negotiation: Negotiation = Negotiation()
    content_rules: Rules = Rules()
    patient_identifiers: Patients = Patients()
    commitment: Commitment = Commitment()
    rejection_texts: dict[RejectionCode, Sentence] = {}
    storage_sop_classes: SyntaxTable = {}
    transfer_syntaxes: SyntaxTable = {}
    without: Without = Without()

    def extending(self, base: "Document") -> "tuple[Document, tuple[str, ...]]":
        """This document with everything that `base` says besides, and findings about `[without]`."""
        own, below = self.model_dump(exclude_unset=True), base.model_dump(exclude_unset=True)
        findings: list[str] = []
        for table in ("storage_sop_classes", "transfer_syntaxes"):
            inherited = below.get(table, {})
            unwanted = getattr(self.without, table)
            findings += [
                f"without.{table}: {keyword} is not in {base.name}"
                for keyword in unwanted
                if inherited.pop(keyword, None) is None
            ]
        for taken in ("without", "extends"):
            own.pop(taken, None)
        return Document.model_validate(_merged(below, own)), tuple(findings)


def _merged(below: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in own.items():
        beneath = merged.get(key)
        both = isinstance(value, dict) and isinstance(beneath, dict)
        merged[key] = _merged(beneath, value) if both else value  # type: ignore[arg-type]
    return merged
