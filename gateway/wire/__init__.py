"""Languages: bytes and XML to the model and back; no I/O, nothing to wait for."""
