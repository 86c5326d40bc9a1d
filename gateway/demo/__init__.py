"""The demo: the archive's promises tried before your eyes, with foreign peers and real DICOM."""

from gateway.demo.entry import demo as command

__all__ = ["command"]
