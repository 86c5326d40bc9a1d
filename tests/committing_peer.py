"""A receiver with storage commitment for the bench's controls: keeps all, and reports as it is told.

Usage: python tests/committing_peer.py PORT FOLDER same|PORT-FOR-REPORTS commit|fail|forget|omit|invent|refuse
"""

import sys
import threading
import time
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, _config, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel

EVERY = 10
INSTANCE = "1.2.840.10008.1.20.1.1"
NO_SUCH_INSTANCE = 0x0112
_config.LOG_HANDLER_LEVEL = "none"


def take(event: evt.Event, folder: Path) -> int:
    uid = str(event.request.AffectedSOPInstanceUID)
    (folder / uid).write_bytes(event.request.DataSet.getvalue())
    return 0x0000


def asked(event: evt.Event, place: str, mode: str) -> tuple[int, None]:
    if mode == "refuse":
        return 0x0213, None
    if mode != "forget":
        report = report_of(event.action_information, mode)
        threading.Thread(target=tell, args=(event.assoc, place, report), daemon=True).start()
    return 0x0000, None


def report_of(request: Dataset, mode: str) -> Dataset:
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    items = list(request.ReferencedSOPSequence)
    some, others = items[::EVERY], [item for number, item in enumerate(items) if number % EVERY]
    report.ReferencedSOPSequence = others if mode in ("fail", "omit") else items
    if mode == "fail":
        for item in some:
            item.FailureReason = NO_SUCH_INSTANCE
        report.FailedSOPSequence = some
    if mode == "invent":
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.1"
        report.ReferencedSOPSequence = [*items, item]
    return report


def tell(association: Association, place: str, report: Dataset) -> None:
    time.sleep(0.05)
    kind = 2 if "FailedSOPSequence" in report else 1
    if place == "same":
        association.send_n_event_report(report, kind, StorageCommitmentPushModel, INSTANCE)
        return
    entity = AE("COMMITTING")
    entity.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    other = entity.associate("127.0.0.1", int(place), ext_neg=[role])
    other.send_n_event_report(report, kind, StorageCommitmentPushModel, INSTANCE)
    other.release()


def main() -> None:
    port, folder, place, mode = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    entity = AE("COMMITTING")
    entity.supported_contexts = AllStoragePresentationContexts[:]
    entity.add_supported_context(StorageCommitmentPushModel)
    handlers = [(evt.EVT_C_STORE, take, [folder]), (evt.EVT_N_ACTION, asked, [place, mode])]
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=handlers)


if __name__ == "__main__":
    main()
