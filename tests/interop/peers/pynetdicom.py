"""Pynetdicom: sends and receives encoded data sets as they are."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pynetdicom
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

from gateway.demo.part10 import read_meta
from gateway.demo.peers import without_delay
from tests.foreign import associated, get, identifier
from tests.instances import IMPLICIT, Instance
from tests.interop.material import ALL
from tests.interop.peers.peer import CALLED, CALLING, Peer, PeerFailedError, a_port


@dataclass(frozen=True)
class Door:
    """Where to call, as tests.foreign wants it."""

    dicom_port: int


class Pynetdicom(Peer):
    name = "pynetdicom"
    sends = gets = accepts = ALL
    keeps_bytes = True

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return pynetdicom.__version__

    def echo(self, port: int) -> None:
        with associated(Door(port), [(Verification, IMPLICIT)], calling=CALLING, called=CALLED) as one:
            _check("C-ECHO", one.send_c_echo().Status)

    def store(self, port: int, files: Sequence[Path]) -> None:
        metas = [read_meta(file.read_bytes()) for file in files]
        kinds = [(meta.sop_class, meta.transfer_syntax) for meta in metas]
        with associated(Door(port), kinds, calling=CALLING, called=CALLED) as one:
            statuses = {file: one.send_c_store(file).Status for file in files}
        for file, status in statuses.items():
            _check(f"C-STORE of {file}", status)

    def get(self, port: int, study: Sequence[Instance], folder: Path) -> None:
        kinds = [(one.sop_class, one.transfer_syntax) for one in study]
        wanted = identifier("STUDY", StudyInstanceUID=study[0].study)
        responses, arrived = get(Door(port), wanted, kinds, calling=CALLING, called=CALLED)
        for one in study:
            if one.sop_instance in arrived:
                replace(one, data_set=arrived[one.sop_instance]).write(folder)
        _check("C-GET", responses[-1][0].Status)

    @contextlib.contextmanager
    def accept(self, folder: Path) -> Iterator[int]:
        entity, port = AE(), a_port()
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(ALL))
        handlers = [(evt.EVT_C_STORE, _take, [folder]), (evt.EVT_CONN_OPEN, without_delay)]
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        try:
            yield port
        finally:
            server.shutdown()


def _take(event: evt.Event, folder: Path) -> int:
    (folder / event.request.AffectedSOPInstanceUID).write_bytes(event.encoded_dataset())
    return 0x0000


def _check(what: str, status: int) -> None:
    if status != 0x0000:
        raise PeerFailedError(f"{what} was answered {status:04X}H")
