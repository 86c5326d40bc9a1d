"""DCMTK (OFFIS): storescu and getscu; storescp as acceptor."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydicom import uid as u

from gateway.demo.part10 import read_meta
from tests.instances import Instance
from tests.interop.material import ALL
from tests.interop.peers.peer import CALLED, CALLING, Peer, a_port, missing_of, run, running

# The option that makes one transfer syntax what is proposed first: by storescu with "-x", by getscu with "+x".
_PROPOSED = {
    u.ImplicitVRLittleEndian: "-xi",
    u.ExplicitVRLittleEndian: "-xe",
    u.ExplicitVRBigEndian: "-xb",
    u.DeflatedExplicitVRLittleEndian: "-xd",
    u.JPEGBaseline8Bit: "-xy",
    u.JPEGExtended12Bit: "-xx",
    u.JPEGLSLossless: "-xt",
    u.JPEG2000Lossless: "-xv",
    u.JPEG2000: "-xw",
    u.RLELossless: "-xr",
}


class Dcmtk(Peer):
    name = "DCMTK"
    sends = accepts = ALL
    # Not implicit VR: getscu 3.6.7 proposes explicit little endian alone when asked for that.
    gets = tuple(syntax for syntax in ALL if syntax != u.ImplicitVRLittleEndian)
    stops_at_failure = True

    def missing(self) -> str:
        return missing_of("echoscu", "storescu", "dcmsend", "getscu", "storescp")

    def version(self) -> str:
        return run("storescu", "--version").split()[2].removeprefix("v")

    def echo(self, port: int) -> None:
        run("echoscu", "-aet", CALLING, "-aec", CALLED, "127.0.0.1", port)

    def store(self, port: int, files: Sequence[Path]) -> None:
        run(
            "storescu",
            "-R",
            _PROPOSED[u.UID(_syntax_of(files[0]))],
            "-aet",
            CALLING,
            "-aec",
            CALLED,
            "127.0.0.1",
            port,
            *files,
        )

    def get(self, port: int, study: Sequence[Instance], folder: Path) -> None:
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study[0].study}")
        titles = ("-aet", CALLING, "-aec", CALLED)
        proposed = _PROPOSED[u.UID(study[0].transfer_syntax)].replace("-", "+")
        run("getscu", "+B", "-S", proposed, *titles, "-od", folder, *keys, "127.0.0.1", port)

    def accept(self, folder: Path) -> AbstractContextManager[int]:
        port = a_port()
        return running("storescp", "+B", "+xa", "-od", folder, port, port=port, folder=folder)


def _syntax_of(file: Path) -> str:
    return read_meta(file.read_bytes()).transfer_syntax
