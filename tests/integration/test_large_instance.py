"""An instance of more than 2 GiB passes in flat memory, in and out."""

import socket
import struct
import threading
from collections.abc import Callable

import pytest

from tests.gateway_process import GatewayProcess, eventually
from tests.instances import EXPLICIT, data_set_of, encode, new_uid
from tests.raw_peer import P_DATA, STUDY_ROOT_GET, RawPeer, c_get_rq, c_store_rq, command_set, p_data, us

MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.2"
FRAME = 1 << 20
FRAMES = 2049
RISE_MAX = 64 << 20

pytestmark = pytest.mark.slow


def head(study: str, sop_instance: str) -> bytes:
    """Everything before the pixels of a multi-frame of 2 GiB + 1 MiB, and their element's header."""
    data_set = data_set_of(
        SOPClassUID=MULTI_FRAME,
        SOPInstanceUID=sop_instance,
        StudyDate="20240229",
        Modality="OT",
        PatientName="Large^One",
        PatientID="LARGE",
        StudyInstanceUID=study,
        SeriesInstanceUID=new_uid(),
        SeriesNumber=1,
        InstanceNumber=1,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        NumberOfFrames=FRAMES,
        Rows=1024,
        Columns=1024,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
    )
    return encode(data_set, EXPLICIT) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, FRAMES * FRAME)


def highest(gateway: GatewayProcess, stop: threading.Event, found: list[int]) -> None:
    while not stop.wait(0.05):
        found.append(gateway.rss())


def test_d33_two_gibibytes_in_and_out_in_flat_memory(another_gateway: Callable[..., GatewayProcess]):
    gateway = another_gateway(journal="3 GiB", segment="64 MiB")
    study, sop_instance = new_uid(), new_uid()
    before, seen, stop = gateway.rss(), [0], threading.Event()
    watcher = threading.Thread(target=highest, args=(gateway, stop, seen))
    watcher.start()
    try:
        sent = send(gateway, study, sop_instance)
        received = fetch(gateway, study)
    finally:
        stop.set()
        watcher.join()
    assert received == sent
    # With what the association took of the pool that all share: it may have a quarter.
    assert max(seen) - before < RISE_MAX, f"{(max(seen) - before) >> 20} MiB more"


def send(gateway: GatewayProcess, study: str, sop_instance: str) -> int:
    start, frame = head(study, sop_instance), bytes(FRAME // 4 - 6)
    with RawPeer(gateway.dicom_port, timeout=60) as peer:
        assert peer.associate([(1, MULTI_FRAME, [EXPLICIT])])[0] == 2
        peer.send(p_data(1, c_store_rq(1, MULTI_FRAME, sop_instance), command=True, last=True))
        peer.send(p_data(1, start, command=False, last=False))
        piece, left = p_data(1, frame, command=False, last=False), FRAMES * FRAME
        while left > len(frame):
            peer.send(piece)
            left -= len(frame)
        peer.send(p_data(1, bytes(left), command=False, last=True))
        assert us(peer.command(), 0x00000900) == 0
    return len(start) + FRAMES * FRAME


def fetch(gateway: GatewayProcess, study: str) -> int:
    """Fetches the study and counts the bytes of its data set."""
    eventually(lambda: any(s["uid"] == study for s in gateway.kuva("study", "list")["studies"]), 10)
    wanted = encode(data_set_of(QueryRetrieveLevel="STUDY", StudyInstanceUID=study), "1.2.840.10008.1.2")
    with RawPeer(gateway.dicom_port, timeout=60) as peer:
        contexts = [(1, STUDY_ROOT_GET, ["1.2.840.10008.1.2"]), (3, MULTI_FRAME, [EXPLICIT])]
        assert peer.associate(contexts, roles=[MULTI_FRAME])[0] == 2
        peer.send(p_data(1, c_get_rq(1), command=True, last=True))
        peer.send(p_data(1, wanted, command=False, last=True))
        request = peer.command()
        length = count_data_set(peer.socket)
        answer = command_set(
            f0000_0002=MULTI_FRAME,
            f0000_0100=0x8001,
            f0000_0120=us(request, 0x00000110) or 0,
            f0000_0800=0x0101,
            f0000_0900=0,
        )
        peer.send(p_data(3, answer, command=True, last=True))
        final = peer.command()
        assert us(final, 0x00000900) == 0
    return length


def count_data_set(peer: socket.socket) -> int:
    """Reads PDVs up to the last of a data set; returns their length together."""
    length, buffer, file = 0, bytearray(1 << 20), peer.makefile("rb", buffering=1 << 20)
    while True:
        kind, _, pdu_length = struct.unpack(">BBI", file.read(6))
        assert kind == P_DATA
        while pdu_length:
            pdv_length, _, header = struct.unpack(">IBB", file.read(6))
            file.readinto(memoryview(buffer)[: pdv_length - 2])
            length += pdv_length - 2
            pdu_length -= 4 + pdv_length
            if header & 2:
                return length
