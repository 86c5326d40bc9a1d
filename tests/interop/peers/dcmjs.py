"""dcmjs-dimse (JavaScript): a client and an acceptor of a few lines around it, in tests/interop/dcmjs."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydicom import uid as u

from tests.instances import Instance
from tests.interop.material import ALL, ENCAPSULATED, UNCOMPRESSED
from tests.interop.peers.peer import CALLED, CALLING, ROOT, Peer, a_port, missing_of, run, running

FOLDER = ROOT / "tests" / "interop" / "dcmjs"
PROGRAM = FOLDER / "peer.js"
PACKAGE = FOLDER / "node_modules" / "dcmjs-dimse" / "package.json"


class Dcmjs(Peer):
    name = "dcmjs-dimse"
    # It sends deflated data sets with a header that PS3.5 A.5 does not have.
    sends = gets = accepts = (*UNCOMPRESSED, *ENCAPSULATED)
    knows_not = (
        u.TwelveLeadECGWaveformStorage,
        u.KeyObjectSelectionDocumentStorage,
        u.GrayscaleSoftcopyPresentationStateStorage,
        u.RTPlanStorage,
    )  # nor any other that its own list of storage classes has not
    alters = ALL  # it drops private elements, rounds decimals, and re-encodes characters

    def missing(self) -> str:
        return missing_of("node") or ("" if PACKAGE.exists() else "the package dcmjs-dimse")

    def version(self) -> str:
        return str(json.loads(PACKAGE.read_text())["version"])

    def echo(self, port: int) -> None:
        run("node", PROGRAM, "echo", port, CALLED, CALLING)

    def store(self, port: int, files: Sequence[Path]) -> None:
        run("node", PROGRAM, "store", port, CALLED, CALLING, *files)

    def get(self, port: int, study: Sequence[Instance], folder: Path) -> None:
        kinds = sorted({f"{one.sop_class}/{one.transfer_syntax}" for one in study})
        run("node", PROGRAM, "get", port, CALLED, CALLING, study[0].study, folder, *kinds)

    def accept(self, folder: Path) -> AbstractContextManager[int]:
        port = a_port()
        return running("node", PROGRAM, "accept", port, folder, port=port, folder=folder)
