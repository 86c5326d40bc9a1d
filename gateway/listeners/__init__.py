"""DOORS for machines: DICOM with one file for each service, HTTP health, the operator's socket."""
