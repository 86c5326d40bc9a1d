"""The foreign peers, each behind one interface."""

from tests.interop.peers.ctn import Ctn
from tests.interop.peers.dcmjs import Dcmjs
from tests.interop.peers.dcmtk import Dcmtk
from tests.interop.peers.dicom_rs import DicomRs
from tests.interop.peers.gdcm import Gdcm
from tests.interop.peers.odil import Odil
from tests.interop.peers.peer import Peer
from tests.interop.peers.pynetdicom import Pynetdicom

PEERS: tuple[Peer, ...] = (Pynetdicom(), Dcmtk(), Gdcm(), Dcmjs(), DicomRs(), Odil(), Ctn())
