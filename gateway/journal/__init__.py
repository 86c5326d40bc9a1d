"""The node's journal as Python sees it: a thin room over the core's node."""

from gateway.journal.room import Journal, JournalSpace

__all__ = ["Journal", "JournalSpace"]
