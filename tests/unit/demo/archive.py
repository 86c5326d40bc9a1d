"""A small archive for the demo's tests: pynetdicom on both ends, kept in memory, faults on demand."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from gateway.demo.peers import Address


@dataclass
class Archive:
    """What it received: (SOP class, transfer syntax, data set) by SOP Instance UID."""

    kept: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    answer: Callable[[str], int] = lambda _: 0x0000
    aborting: str = ""

    def store(self, event: evt.Event) -> int:
        request = event.request
        uid = str(request.AffectedSOPInstanceUID)
        if uid == self.aborting:
            event.assoc.abort()
        status = self.answer(uid)
        if status == 0x0000:
            data_set = event.encoded_dataset(include_meta=False)
            self.kept[uid] = (str(request.AffectedSOPClassUID), str(event.context.transfer_syntax), data_set)
        return status

    def get(self, event: evt.Event) -> Iterator[object]:
        """Only what pynetdicom's own SCP can do: it decodes and encodes, so bytes may change on the way."""
        if self.aborting:
            event.assoc.abort()
        found = [data for _, _, data in self.kept.values()]
        yield len(found)
        for sop_class, syntax, data in self.kept.values():
            yield 0xFF00, _decoded(sop_class, syntax, data)


def _decoded(sop_class: str, syntax: str, data: bytes) -> Dataset:
    from gateway.demo.part10 import write_meta

    meta = write_meta(sop_class=sop_class, sop_instance="1.2", transfer_syntax=syntax)
    return dcmread(DicomBytesIO(meta + data))


@contextmanager
def listening(archive: Archive, *sop_classes: str) -> Iterator[Address]:
    entity = AE(ae_title="KUVA")
    contexts = [build_context(sop_class, AllTransferSyntaxes) for sop_class in sop_classes]
    for context in contexts:
        context.scu_role = context.scp_role = True
    contexts.append(build_context(StudyRootQueryRetrieveInformationModelGet))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            contexts=contexts,
            evt_handlers=[(evt.EVT_C_STORE, archive.store), (evt.EVT_C_GET, archive.get)],
        )
    try:
        yield Address("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
