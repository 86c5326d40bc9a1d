"""The foreign peer of the tests: pynetdicom, sending and receiving encoded data sets as they are."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from gateway.demo.peers import reactor_at_rest, without_delay
from tests.gateway_process import GatewayProcess
from tests.instances import Instance

GET = StudyRootQueryRetrieveInformationModelGet
_config.STORE_SEND_CHUNKED_DATASET = True  # sends a file's data set as it stands
_config.STORE_RECV_CHUNKED_DATASET = False


@contextmanager
def associated(
    gateway: GatewayProcess,
    kinds: Iterable[tuple[str, str]],
    *,
    calling: str = "TESTSCU",
    called: str = "KUVA",
    get: bool = False,
    roles: Iterable[str] | None = None,
    received: dict[str, bytes] | None = None,
    timeout: float = 30.0,
    maximum_pdu: int = 16382,
) -> Iterator[Association]:
    """One context for each (SOP class, transfer syntax); with `get` also C-GET, and the SCP role."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout
    kinds = list(dict.fromkeys(kinds))
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    negotiated = []
    if get:
        contexts.append(build_context(GET))
        wanted = {sop_class for sop_class, _ in kinds} if roles is None else set(roles)
        negotiated = [build_role(sop_class, scp_role=True) for sop_class in sorted(wanted)]

    handlers = [(evt.EVT_C_STORE, _take, [received]), (evt.EVT_CONN_OPEN, without_delay)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        association = entity.associate(
            "127.0.0.1",
            gateway.dicom_port,
            contexts=contexts,
            ae_title=called,
            ext_neg=negotiated,
            max_pdu=maximum_pdu,
            evt_handlers=handlers,
        )
    if not association.is_established:
        yield association
        return
    try:
        with reactor_at_rest(association):
            yield association
    finally:
        if association.is_established:
            association.release()
        _close(association)


def _take(event: evt.Event, received: dict[str, bytes] | None) -> int:
    request = event.request
    if received is not None:
        received[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
    return 0x0000


def _close(association: Association) -> None:
    """pynetdicom leaves the socket of an association that the peer ended to the garbage collector."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


def store(
    gateway: GatewayProcess,
    instances: Sequence[Instance],
    folder: Path,
    *,
    calling: str = "TESTSCU",
    called: str = "KUVA",
) -> list[Dataset]:
    """Stores over one association; the responses, in order."""
    kinds = [(one.sop_class, one.transfer_syntax) for one in instances]
    with associated(gateway, kinds, calling=calling, called=called) as association:
        assert association.is_established, "not associated"
        return [association.send_c_store(one.write(folder)) for one in instances]


def get(
    gateway: GatewayProcess,
    identifier: Dataset,
    kinds: Iterable[tuple[str, str]],
    *,
    calling: str = "TESTSCU",
    called: str = "KUVA",
    roles: Iterable[str] | None = None,
    maximum_pdu: int = 16382,
) -> tuple[list[tuple[Dataset, Dataset | None]], dict[str, bytes]]:
    """C-GETs; all responses, and what arrived by SOP Instance UID, as bytes."""
    received: dict[str, bytes] = {}
    with associated(
        gateway,
        kinds,
        calling=calling,
        called=called,
        get=True,
        roles=roles,
        received=received,
        maximum_pdu=maximum_pdu,
    ) as association:
        assert association.is_established, "not associated"
        responses = [(status, found) for status, found in association.send_c_get(identifier, GET)]
    return responses, received


def identifier(level: str, **uids: object) -> Dataset:
    data_set = Dataset()
    data_set.QueryRetrieveLevel = level
    for keyword, value in uids.items():
        setattr(data_set, keyword, value)
    return data_set
