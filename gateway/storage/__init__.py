"""Archival storage: immutable objects under keys that are unique for ever, in a folder or in memory.

An S3 service comes beside them as one more module of this room, under the same contract suite
(tests/contract/test_object_store.py).
"""
