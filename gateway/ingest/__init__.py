"""INGEST: admission, duplicates, pipeline, recovery, quarantine."""
