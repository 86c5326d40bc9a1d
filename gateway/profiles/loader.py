"""The loader: finds a profile by name, follows what it extends, and checks the whole of it."""

import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from gateway.errors import ProfileError
from gateway.model.identifiers import Uid, parse_uid
from gateway.profiles.document import NAME, Document
from gateway.profiles.profile import ContentRules, CoreTables, PatientIdentifiers, Profile
from gateway.wire.dicom.negotiation import Acceptance

BUILT_IN = ("national", "neutral")
"""Profiles that come with the program. A folder of one's own may add some, not replace these."""

_EXTENSIONS_MAX = 8
_STANDARD_ROOT = "1.2.840.10008."


def load(
    name: str,
    *,
    folder: Path | None = None,
    private_sop_classes: Sequence[str] = (),
    core: CoreTables | None = None,
) -> Profile:
    """The profile of this name: built in, or `NAME.toml` in `folder`.

    `private_sop_classes` come from the settings and are accepted besides. With `core`, rule codes and
    transfer syntaxes are checked against what the core knows. Raises `ProfileError` with every finding.
    """
    chain = _chain(name, folder)
    document, findings = _extended(chain)
    findings += tuple(_check(document, private_sop_classes, core))
    if findings:
        raise ProfileError(tuple(f"profile {name}: {finding}" for finding in findings))
    return _profile(document, chain, private_sop_classes)


def _chain(name: str, folder: Path | None) -> list[Document]:
    """The document and what it extends, itself first."""
    chain: list[Document] = []
    wanted: str | None = name
    while wanted is not None:
        if wanted in (document.name for document in chain) or len(chain) == _EXTENSIONS_MAX:
            raise ProfileError((f"profile {name}: extends {wanted} in a circle, or too many profiles",))
        chain.append(_read(wanted, folder))
        wanted = chain[-1].extends
    return chain


def _read(name: str, folder: Path | None) -> Document:
    if not NAME.fullmatch(name):
        raise ProfileError((f"profile {name[:70]!r}: a name has small letters, digits, - and _",))
    if name in BUILT_IN:
        place, text = f"{name}.toml", (resources.files(__package__) / f"{name}.toml").read_text("utf-8")
    else:
        place, text = _read_own(name, folder)
    try:
        document = Document.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError((f"{place}: not TOML: {error}",)) from None
    except ValidationError as error:
        raise ProfileError(tuple(_findings(place, error))) from None
    if document.name != name:
        raise ProfileError((f"{place}: name: {document.name!r} is not the file's name",))
    return document


def _read_own(name: str, folder: Path | None) -> tuple[str, str]:
    known = f"built in: {', '.join(BUILT_IN)}"
    if folder is None:
        raise ProfileError((f"profile {name}: there is none of this name; {known}",))
    path = folder / f"{name}.toml"
    try:
        return str(path), path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError((f"{path}: cannot be read ({error}); {known}",)) from None


def _findings(place: str, error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        unknown = detail["type"] == "extra_forbidden"
        message = "unknown key" if unknown else detail["msg"].removeprefix("Value error, ")
        yield f"{place}: {where}: {message}"


def _extended(chain: Sequence[Document]) -> tuple[Document, tuple[str, ...]]:
    document, findings = chain[-1], tuple[str, ...]()
    for above in reversed(chain[:-1]):
        document, more = above.extending(document)
        findings += more
    if chain[-1].without.model_fields_set:
        findings += (f"without: {chain[-1].name} extends nothing",)
    return document, findings


def _check(document: Document, private: Sequence[str], core: CoreTables | None) -> Iterator[str]:
    """What one table cannot know of another, and one file of the other."""
    for place, value in (
        ("negotiation.operations_invoked_max", document.negotiation.operations_invoked_max),
        ("negotiation.user_identity", document.negotiation.user_identity),
        ("content_rules.preset", document.content_rules.preset),
        ("storage_sop_classes", document.storage_sop_classes),
        ("transfer_syntaxes", document.transfer_syntaxes),
    ):
        if not value:
            yield f"{place}: missing, and no extended profile says it"
    yield from _repeated("storage_sop_classes", document.storage_sop_classes)
    yield from _repeated("transfer_syntaxes", document.transfer_syntaxes)
    yield from _not_private(private)
    if core is not None:
        yield from _beyond_core(document, core)


def _repeated(table: str, uids: dict[str, str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for keyword, uid in uids.items():
        if uid in seen:
            yield f"{table}: {keyword} and {seen[uid]} are the same UID, {uid}"
        seen.setdefault(uid, keyword)


def _not_private(private: Sequence[str]) -> Iterator[str]:
    for uid in private:
        try:
            parse_uid(uid)
        except ValueError as error:
            yield f"private SOP class: {error}"
        if uid.startswith(_STANDARD_ROOT):
            yield f"private SOP class: {uid} is the standard's; a profile adds it, not the settings"


def _beyond_core(document: Document, core: CoreTables) -> Iterator[str]:
    for code in document.content_rules.overrides:
        if code not in core.rule_codes:
            yield f"content_rules.overrides.{code}: no content rule has this code"
        elif code not in core.settable_rules:
            yield f"content_rules.overrides.{code}: it always refuses: its severity cannot be set"
    for keyword, uid in document.transfer_syntaxes.items():
        if uid not in core.transfer_syntaxes:
            yield f"transfer_syntaxes.{keyword}: {uid} cannot be kept: unknown, or its pixels are elsewhere"


def _profile(document: Document, chain: Sequence[Document], private: Sequence[str]) -> Profile:
    negotiation, rules = document.negotiation, document.content_rules
    assert negotiation.operations_invoked_max is not None
    assert rules.preset is not None
    storage = {Uid(uid): keyword for keyword, uid in document.storage_sop_classes.items()}
    syntaxes = {Uid(uid): keyword for keyword, uid in document.transfer_syntaxes.items()}
    issuer = document.patient_identifiers.official_issuer
    return Profile(
        name=document.name,
        version=document.version,
        title=document.title,
        lineage=tuple(f"{link.name}/{link.version}" for link in chain),
        acceptance=Acceptance(
            storage=frozenset((*storage, *map(Uid, private))),
            transfer_syntaxes=frozenset(syntaxes),
            operations_invoked_max=negotiation.operations_invoked_max,
            acknowledges_user_identity=negotiation.user_identity == "acknowledge",
        ),
        content_rules=ContentRules(rules.preset, tuple(sorted(rules.overrides.items()))),
        patient_identifiers=PatientIdentifiers(Uid(issuer) if issuer else None),
        uncommitted_after_days=document.commitment.uncommitted_after_days,
        keywords=MappingProxyType({**storage, **syntaxes}),
        rejection_texts=MappingProxyType(dict(document.rejection_texts)),
    )
