"""CTN (Mallinckrodt Institute of Radiology): dicom_echo, send_image; simple_storage as acceptor."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydicom import uid as u

from tests.interop.material import ENCAPSULATED, UNCOMPRESSED
from tests.interop.peers.peer import CALLED, CALLING, Peer, a_port, missing_of, run, running


class Ctn(Peer):
    name = "CTN"
    sends = (*UNCOMPRESSED, *ENCAPSULATED)  # it cannot read deflated files
    # It reads a sequence that it does not know as UN from implicit VR, and swaps no big endian pixels.
    alters = (u.ImplicitVRLittleEndian, u.ExplicitVRBigEndian)
    # It accepts nothing compressed, and writes implicit VR without a Part 10 header.
    accepts = (u.ExplicitVRLittleEndian, u.ExplicitVRBigEndian)
    knows_not = (u.GrayscaleSoftcopyPresentationStateStorage,)
    tells_failure = False

    def missing(self) -> str:
        return missing_of("dicom_echo", "send_image", "simple_storage")

    def version(self) -> str:
        return run("ctn_version", accepted=range(256)).split()[-1]

    def echo(self, port: int) -> None:
        run("dicom_echo", "-a", CALLING, "-c", CALLED, "127.0.0.1", port)

    def store(self, port: int, files: Sequence[Path]) -> None:
        run("send_image", "-a", CALLING, "-c", CALLED, "127.0.0.1", port, *files)

    def accept(self, folder: Path) -> AbstractContextManager[int]:
        port = a_port()
        return running("simple_storage", "-s", "-x", folder, port, port=port, folder=folder)
