"""The loader: a profile is taken whole or refused with every fault and its place."""

from pathlib import Path

import pytest

from gateway.errors import ProfileError
from gateway.model.refusal import Preset, Severity
from gateway.profiles import BUILT_IN, ContentRules, CoreTables, Profile, load
from gateway.wire.dicom.rejection import CALLED_UNKNOWN, CALLING_UNKNOWN

HEAD = 'format = 1\nname = "own"\nversion = "1"\ntitle = "Our own"\n'
EXTENDS = HEAD + 'extends = "neutral"\n'
WHOLE = (
    HEAD
    + '[negotiation]\noperations_invoked_max = 4\nuser_identity = "ignore"\n'
    + '[content_rules]\npreset = "migration"\n'
    + '[storage_sop_classes]\nCTImageStorage = "1.2.840.10008.5.1.4.1.1.2"\n'
    + '[transfer_syntaxes]\nExplicitVRLittleEndian = "1.2.840.10008.1.2.1"\n'
)
NEUTRAL = load("neutral")
CORE = CoreTables(
    frozenset({"tag-order", "uid-invalid"}), frozenset({"tag-order"}), NEUTRAL.acceptance.transfer_syntaxes
)


def load_text(folder: Path, text: str, **arguments: object) -> Profile:
    (folder / "own.toml").write_text(text, "utf-8")
    return load("own", folder=folder, **arguments)  # type: ignore[arg-type]


def findings(folder: Path, text: str, **arguments: object) -> tuple[str, ...]:
    with pytest.raises(ProfileError) as caught:
        load_text(folder, text, **arguments)
    return caught.value.findings


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_profile_is_whole(name: str):
    profile = load(name)
    assert profile.name == name
    assert profile.lineage[0] == f"{name}/{profile.version}"
    assert len(profile.acceptance.storage) > 150


def test_the_national_profile_says_no_more_than_is_known():
    national = load("national")
    assert national.lineage == ("national/1", "neutral/1")
    assert national.acceptance == NEUTRAL.acceptance
    assert national.content_rules == NEUTRAL.content_rules
    assert national.patient_identifiers.official_issuer == "1.2.246.21"
    assert NEUTRAL.patient_identifiers.official_issuer is None


def test_a_profile_may_stand_alone(tmp_path: Path):
    profile = load_text(tmp_path, WHOLE)
    assert profile.acceptance.storage == {"1.2.840.10008.5.1.4.1.1.2"}
    assert profile.acceptance.transfer_syntaxes == {"1.2.840.10008.1.2.1"}
    assert profile.acceptance.operations_invoked_max == 4
    assert not profile.acceptance.acknowledges_user_identity
    assert profile.content_rules.preset is Preset.MIGRATION


def test_a_profile_extends_another_table_by_table(tmp_path: Path):
    profile = load_text(
        tmp_path,
        EXTENDS
        + '[negotiation]\noperations_invoked_max = 2\n[content_rules.overrides]\ntag-order = "refuse"\n'
        + '[rejection_texts]\ncalled-ae-title = "Arkisto on toinen"\n'
        + '[storage_sop_classes]\nOurs = "1.3.6.1.4.1.1.1"\n'
        + '[without]\nstorage_sop_classes = ["CTImageStorage"]\ntransfer_syntaxes = ["ExplicitVRBigEndian"]\n',
        core=CORE,
    )
    neutral = NEUTRAL.acceptance
    assert profile.acceptance.storage == neutral.storage - {"1.2.840.10008.5.1.4.1.1.2"} | {"1.3.6.1.4.1.1.1"}
    assert profile.acceptance.transfer_syntaxes == neutral.transfer_syntaxes - {"1.2.840.10008.1.2.2"}
    assert profile.acceptance.operations_invoked_max == 2
    assert profile.acceptance.acknowledges_user_identity
    assert profile.content_rules == ContentRules(Preset.STRICT, (("tag-order", Severity.REFUSE),))
    assert profile.text_of(CALLED_UNKNOWN) == "Arkisto on toinen"
    assert profile.text_of(CALLING_UNKNOWN) == CALLING_UNKNOWN.text
    assert profile.lineage == ("own/1", "neutral/1")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("format = 1\n[", "own.toml: not TOML"),
        (EXTENDS.replace("format = 1", "format = 2"), "own.toml: format"),
        (EXTENDS.replace("format = 1\n", ""), "own.toml: format"),
        (EXTENDS.replace('"own"', '"other"'), "own.toml: name: 'other' is not"),
        (EXTENDS + "colour = 1\n", "own.toml: colour: unknown key"),
        (EXTENDS + '[negotiation]\nspeed = "high"\n', "own.toml: negotiation.speed: unknown key"),
        (
            EXTENDS + "[negotiation]\noperations_invoked_max = 17\n",
            "own.toml: negotiation.operations_invoked_max",
        ),
        (
            EXTENDS + '[negotiation]\noperations_invoked_max = "4"\n',
            "own.toml: negotiation.operations_invoked_max",
        ),
        (EXTENDS + '[negotiation]\nuser_identity = "believe"\n', "own.toml: negotiation.user_identity"),
        (EXTENDS + '[content_rules]\npreset = "lax"\n', "own.toml: content_rules.preset"),
        (
            EXTENDS + '[content_rules.overrides]\ntag-order = "warn"\n',
            "own.toml: content_rules.overrides.tag-order",
        ),
        (EXTENDS + '[storage_sop_classes]\nOurs = "1.02"\n', "own.toml: storage_sop_classes.Ours"),
        (EXTENDS + '[storage_sop_classes]\n"Ours!" = "1.2"\n', "own.toml: storage_sop_classes.Ours!"),
        (EXTENDS + '[rejection_texts]\nfull = "x"\n', "own.toml: rejection_texts.full"),
        (
            EXTENDS + '[patient_identifiers]\nofficial_issuer = "x"\n',
            "own.toml: patient_identifiers.official_issuer",
        ),
        (EXTENDS.replace('"neutral"', '"../neutral"'), "own.toml: extends"),
        (EXTENDS.replace('"neutral"', '"absent"'), "absent.toml: cannot be read"),
        (EXTENDS.replace('"neutral"', '"own"'), "in a circle"),
        (EXTENDS + '[without]\nstorage_sop_classes = ["Nothing"]\n', "without.storage_sop_classes: Nothing"),
        (WHOLE + '[without]\nstorage_sop_classes = ["Nothing"]\n', "without: own extends nothing"),
        (
            EXTENDS + '[storage_sop_classes]\nAgain = "1.2.840.10008.5.1.4.1.1.2"\n',
            "storage_sop_classes: Again",
        ),
        (EXTENDS + '[transfer_syntaxes]\nAgain = "1.2.840.10008.1.2"\n', "transfer_syntaxes: Again"),
        (HEAD, "negotiation.operations_invoked_max: missing"),
        (HEAD, "content_rules.preset: missing"),
        (HEAD, "transfer_syntaxes: missing"),
    ],
)
def test_a_fault_is_refused_with_its_place(tmp_path: Path, text: str, place: str):
    assert any(place in finding for finding in findings(tmp_path, text))


def test_all_faults_are_told_at_once(tmp_path: Path):
    text = EXTENDS + 'colour = 1\n[storage_sop_classes]\nA = "x"\nB = "y"\n'
    assert len(findings(tmp_path, text)) == 3


def test_what_the_core_does_not_know_is_refused(tmp_path: Path):
    text = (
        EXTENDS
        + '[content_rules.overrides]\nno-such-rule = "flag"\n[transfer_syntaxes]\nJPIP = "1.2.840.10008.1.2.4.94"\n'
    )
    told = findings(tmp_path, text, core=CORE)
    assert any("content_rules.overrides.no-such-rule" in finding for finding in told)
    assert any("transfer_syntaxes.JPIP" in finding for finding in told)
    assert load_text(tmp_path, text).acceptance.transfer_syntaxes


def test_a_rule_that_always_refuses_is_no_profiles_to_set(tmp_path: Path):
    overrides = '[content_rules.overrides]\nuid-invalid = "flag"\ntag-order = "refuse"\n'
    (finding,) = findings(tmp_path, EXTENDS + overrides, core=CORE)
    assert "content_rules.overrides.uid-invalid: it always refuses" in finding


def test_private_sop_classes_of_the_settings_are_accepted_besides():
    private = "1.3.12.2.1107.5.9.1"
    assert load(
        "neutral", private_sop_classes=(private,)
    ).acceptance.storage - NEUTRAL.acceptance.storage == {private}


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.38.1", "not-a-uid", ""])
def test_the_settings_add_no_standard_class_and_no_nonsense(uid: str):
    with pytest.raises(ProfileError, match="private SOP class"):
        load("neutral", private_sop_classes=(uid,))


@pytest.mark.parametrize("name", ["../neutral", "Neutral", "", "neutral.toml", "a/b"])
def test_a_name_is_no_path(name: str, tmp_path: Path):
    with pytest.raises(ProfileError, match="a name has"):
        load(name, folder=tmp_path)


def test_a_folder_of_ones_own_does_not_replace_what_is_built_in(tmp_path: Path):
    (tmp_path / "neutral.toml").write_text("nonsense")
    assert load("neutral", folder=tmp_path) == NEUTRAL


def test_an_unknown_profile_names_those_that_exist():
    with pytest.raises(ProfileError, match="built in: national, neutral"):
        load("absent")


def test_an_ae_deviates_by_a_preset_or_single_rules():
    rules = ContentRules(Preset.STRICT, (("tag-order", Severity.REFUSE),))
    assert rules.for_ae(None, ()) == rules
    assert rules.for_ae("migration", ()) == ContentRules(Preset.MIGRATION)
    assert rules.for_ae(None, (("odd-length", "refuse"), ("tag-order", "flag"))).pairs() == (
        ("odd-length", "refuse"),
        ("tag-order", "flag"),
    )
    with pytest.raises(ValueError, match="lax"):
        rules.for_ae("lax", ())


@pytest.mark.parametrize(("said", "days"), [("", 7.0), ("0", 0.0), ("0.5", 0.5), ("30", 30.0)])
def test_the_time_after_which_operators_are_told_of_what_is_not_committed(
    tmp_path: Path, said: str, days: float
):
    table = f"[commitment]\nuncommitted_after_days = {said}\n" if said else ""
    assert load_text(tmp_path, EXTENDS + table).uncommitted_after_days == days
    assert load_text(tmp_path, WHOLE + table).uncommitted_after_days == days


@pytest.mark.parametrize("said", ["-1", "nan", "inf", "36501", '"7"', "true"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, said: str):
    (finding,) = findings(tmp_path, EXTENDS + f"[commitment]\nuncommitted_after_days = {said}\n")
    assert "commitment.uncommitted_after_days" in finding
