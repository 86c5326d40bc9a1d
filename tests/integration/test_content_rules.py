"""Content that is refused by rule from one caller and kept with a flag from another, which migrates."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

from gateway.demo.part10 import read_meta
from tests.foreign import store
from tests.gateway_process import GatewayProcess
from tests.instances import CT, EXPLICIT, Instance, data_set_of, encode, new_uid

pytestmark = pytest.mark.filterwarnings("ignore")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture(scope="module")
def migrating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    started = GatewayProcess(tmp_path_factory.mktemp("migrating"), config="").start()
    started.kuva("ae", "add", "MODALITY", "--vault", "north")
    started.kuva("ae", "add", "OLDARCHIVE", "--vault", "south", "--preset", "migration")
    yield started
    started.stop()


def gzip_like() -> Instance:
    """A real file whose deflated data set is followed by the checksum and length of a gzip file."""
    data = (FILES / "image_dfl.dcm").read_bytes()
    said, meta = pydicom.dcmread(FILES / "image_dfl.dcm"), read_meta(data)
    return Instance(
        said.StudyInstanceUID,
        said.SeriesInstanceUID,
        said.SOPInstanceUID,
        said.SOPClassUID,
        meta.transfer_syntax,
        data[meta.offset :],
    )


def without_pixels() -> Instance:
    study, series, sop_instance = new_uid(), new_uid(), new_uid()
    data_set = data_set_of(
        SOPClassUID=CT,
        SOPInstanceUID=sop_instance,
        PatientID="P1",
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
    )
    return Instance(study, series, sop_instance, CT, EXPLICIT, encode(data_set, EXPLICIT))


@pytest.mark.parametrize(
    ("made", "rule"),
    [(gzip_like, "deflate-trailer"), (without_pixels, "pixel-data-missing")],
    ids=["deflate-trailer", "pixel-data-missing"],
)
def test_a_migration_keeps_what_others_are_refused(
    migrating: GatewayProcess, tmp_path: Path, made: Callable[[], Instance], rule: str
):
    instance = made()
    assert store(migrating, [instance], tmp_path, calling="OLDARCHIVE")[0].Status == 0
    answer = store(migrating, [instance], tmp_path, calling="MODALITY")[0]
    assert answer.Status == 0xC000
    refused = [e for e in migrating.events() if e.get("event") == "instance refused"]
    assert [event["code"] for event in refused if rule in str(event)] == [rule]
