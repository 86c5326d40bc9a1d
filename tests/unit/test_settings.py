"""Settings: read whole or refused whole, with every fault, its place and the nearest name."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings import Settings, load


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in os.environ:
        if name.startswith("KUVA_"):
            monkeypatch.delenv(name)


def _write(folder: Path, text: str) -> Path:
    path = folder / "kuva.toml"
    path.write_text(text)
    return path


def _findings(path: Path | None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(path)
    return refused.value.findings


def test_without_a_file_all_is_default_loopback_and_open() -> None:
    settings = load(None)
    assert (settings.dicom.host, settings.dicom.port, settings.dicom.ae_titles) == (
        "127.0.0.1",
        11112,
        ("KUVA",),
    )
    assert (settings.http.port, settings.journal.capacity, settings.journal.segment) == (
        8080,
        4 << 30,
        64 << 20,
    )
    assert (settings.dicom.artim_seconds, settings.dicom.idle_seconds, settings.drain_seconds) == (
        30,
        600,
        30,
    )
    assert settings.open_access
    assert settings.data.is_absolute()


def test_a_file_closes_open_access(tmp_path: Path) -> None:
    assert not load(_write(tmp_path, "")).open_access


def test_what_is_rendered_loads_to_the_same(tmp_path: Path) -> None:
    path = _write(tmp_path, '[dicom]\nidle_seconds = "1.5 min"\nport = 104\n[journal]\ncapacity = "1 GiB"\n')
    settings = load(path)
    assert load(_write(tmp_path, settings.render())) == settings
    assert "# Idle" in settings.render() or "Quiet time" in settings.render()


def test_every_fault_is_reported_with_line_and_nearest_name(tmp_path: Path) -> None:
    path = _write(
        tmp_path, 'dtaa = "x"\n\n[dicom]\nprot = 1\nartim_seconds = "30 x"\n[jurnal]\ncapacity = 1\n'
    )
    findings = _findings(path)
    assert f"{path}:1: dtaa: unknown key; did you mean data?" in findings
    assert f"{path}:4: dicom.prot: unknown key; did you mean port?" in findings
    assert any(f.startswith(f"{path}:5: dicom.artim_seconds: write it like '30 s'") for f in findings)
    assert f"{path}:6: jurnal: unknown key; did you mean journal?" in findings


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[dicom]\nae_titles = ["A\\\\B"]', "AE title"),
        ('[dicom]\nae_titles = ["SEVENTEEN_LETTERS"]', "AE title"),
        ("[dicom]\nae_titles = []", "ae_titles"),
        ('[dicom]\nae_titles = "KUVA"', "a list is wanted"),
        ("[dicom]\nport = true", "a number is wanted"),
        ("drain_seconds = true", "a number is wanted"),
        ('[dicom]\nhost = "not a host!"', "neither an IP address nor a host name"),
        ('[journal]\ncapacity = "9999999999 TiB"', "less than or equal"),
        ('[profile]\nname = "../../etc/passwd"', "profile.name"),
        ('data = "a\\u0000b"', "NUL"),
        ("dicom = 4", "a table is wanted"),
        ('[profile]\nprivate_sop_classes = ["1.02"]', "not a UID"),
        ("[dicom]\nport = 65536", "port"),
        ('[dicom]\nartim_seconds = "0 s"', "artim"),
        ("[dicom]\nidle_seconds = inf", "idle"),
        ('[journal]\ncapacity = "100 MiB"', "capacity"),
        ('[journal]\ncapacity = "1000 MiB"', "whole number of segments"),
        ('[journal]\ncapacity = "256 MiB"\nsegment = "128 MiB"', "fewer than four"),
        ("[dicom]\nport = 8080", "same as dicom.port"),
        ("[dicom]\nassociations_max = 10", "more than"),
        ('[catalogue]\nmigration_dsn = "postgresql://x/y"', "without catalogue.dsn"),
        ("configured = true", "unknown key"),
        ("data = ", "not TOML"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in finding for finding in _findings(_write(tmp_path, text)))


def test_only_loopback_is_served_without_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUVA_DICOM__HOST", "0.0.0.0")
    assert any("not loopback" in finding for finding in _findings(None))
    assert load(_write(tmp_path, "")).dicom.host == "0.0.0.0"  # control: with a file it is a person's choice


def test_the_environment_wins_and_its_unknown_names_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUVA_DICOM__PORT", "104")
    assert load(_write(tmp_path, "[dicom]\nport = 4242")).dicom.port == 104
    monkeypatch.setenv("KUVA_TEST_ANYTHING", "1")
    monkeypatch.setenv("KUVA_DICOM__PROT", "1")
    assert _findings(None) == (
        "environment: KUVA_DICOM__PROT: unknown variable; did you mean KUVA_DICOM__PORT?",
    )


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://kuva:s3cret@db/kuva",
        "postgresql://db/kuva?password=s3cret",
        "postgresql://kuva:s3cret@db1:5432,db2:5433/kuva?target_session_attrs=read-write",
    ],
)
def test_secrets_are_never_shown(tmp_path: Path, dsn: str) -> None:
    settings = load(_write(tmp_path, f'[catalogue]\ndsn = "{dsn}"'))
    assert "s3cret" not in settings.render() + repr(settings) + str(settings)
    assert settings.catalogue.dsn is not None
    assert settings.catalogue.dsn.get_secret_value() == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "host=db password=s3cret",
        "mysql://kuva:s3cret@db/kuva",
        "postgresql://kuva:s3cret@db",
        "postgresql://kuva:s3cret@db:99999/kuva",
        "postgresql://kuva:s3cret@[::1/kuva",
        "postgresql://kuva:s3cret@db/kuva?x",
    ],
)
def test_what_is_no_database_url_is_refused_without_showing_it(tmp_path: Path, dsn: str) -> None:
    (finding,) = _findings(_write(tmp_path, f'[catalogue]\ndsn = "{dsn}"'))
    assert "catalogue.dsn: write it like" in finding
    assert "s3cret" not in finding


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in _findings(tmp_path / "none.toml")[0]
    assert "Is a directory" in _findings(tmp_path)[0]
    (tmp_path / "bad.toml").write_bytes(b"[node]\nname = '\xe4'\n")
    assert "bad.toml:2: not UTF-8" in _findings(tmp_path / "bad.toml")[0]


def test_a_byte_order_mark_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "kuva.toml").write_bytes(b"\xef\xbb\xbf[dicom]\r\nport = 104\r\n")
    assert load(tmp_path / "kuva.toml").dicom.port == 104


def test_what_is_too_much_for_a_settings_file_is_refused_within_bounds(tmp_path: Path) -> None:
    assert "longer than 1 MiB" in _findings(Path("/dev/zero"))[0]
    assert "nested too deeply" in _findings(_write(tmp_path, "a = " + "[" * 9000 + "]" * 9000))[0]
    many = _findings(_write(tmp_path, "".join(f"unknown{number} = 1\n" for number in range(1000))))
    assert len(many) == 51
    assert many[-1].endswith("950 more")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("KUVA_DICOM__AE_TITLES", "KUVA", "environment: "),
        ("KUVA_DICOM", "4", "environment: dicom: a table is wanted"),
        ("KUVA_HTTP__PORT", "x", "environment: http.port: "),
    ],
)
def test_a_wrong_variable_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, fault: str
) -> None:
    monkeypatch.setenv(name, value)
    assert any(finding.startswith(fault) for finding in _findings(_write(tmp_path, "[dicom]\n[http]\n")))


def test_every_setting_is_documented() -> None:
    def undescribed(model: type) -> list[str]:
        found = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if hasattr(field.annotation, "model_fields"):
                assert field.annotation.__doc__
                found += undescribed(field.annotation)
            elif not field.description and name != "configured":
                found.append(name)
        return found

    assert undescribed(Settings) == []


def test_a_journal_of_more_segments_than_it_can_name_is_found_before_anything_starts(tmp_path: Path):
    config = tmp_path / "kuva.toml"
    config.write_text('[journal]\ncapacity = "5 TiB"\n')
    with pytest.raises(SettingsError, match="more than 65536 segments"):
        load(config)
    config.write_text('[journal]\ncapacity = "5 TiB"\nsegment = "128 MiB"\n')
    assert load(config).journal.capacity == 5 << 40


def test_the_store_is_in_the_data_folder_unless_a_place_of_its_own_is_named(tmp_path: Path) -> None:
    assert load(None).store_folder == load(None).data / "store"
    elsewhere = load(_write(tmp_path, f'[store]\npath = "{tmp_path}/disk"\n'))
    assert elsewhere.store_folder == tmp_path / "disk"


def test_limits_of_volumes_that_contradict_each_other_are_all_found(tmp_path: Path) -> None:
    path = _write(tmp_path, '[volumes]\nage_seconds = "10 s"\ngather_seconds = "60 s"\n')
    assert _findings(path) == (
        "volumes.gather_seconds_max: less than volumes.gather_seconds",
        "volumes.age_seconds: less than volumes.quiet_seconds",
    )
