"""DICOM: what is negotiated and answered. PDUs, command sets and the data set scan are in the core."""
