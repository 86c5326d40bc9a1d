"""A receiver for the bench's negative controls: keeps files, and loses or refuses some if told so.

Usage: python tests/faulty_peer.py PORT FOLDER keep|lose|refuse|shorten|end
"""

import os
import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

EVERY = 10
_config.LOG_HANDLER_LEVEL = "none"


def take(event: evt.Event, folder: Path, mode: str) -> int:
    uid = str(event.request.AffectedSOPInstanceUID)
    chosen = int(uid[-6:]) % EVERY == EVERY - 1
    if chosen and mode == "end":
        os._exit(1)
    if chosen and mode == "refuse":
        return 0xA700
    data_set = event.request.DataSet.getvalue()
    if not (chosen and mode == "lose"):
        (folder / uid).write_bytes(data_set[:100] if chosen and mode == "shorten" else data_set)
    return 0x0000


def main() -> None:
    port, folder, mode = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    entity = AE("FAULTY")
    entity.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, take, [folder, mode])]
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=handlers)


if __name__ == "__main__":
    main()
