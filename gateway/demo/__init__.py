"""The demo: the archive's promises tried before your eyes, with foreign peers and real DICOM."""
