"""DOORS for machines: DICOM with one file for each service, HTTP health, the operator's socket."""

SOCKET_NAME = "admin.sock"
"""The operator's Unix socket, in the data folder."""
