"""The node's journal as Python sees it: a thin room over the core's node."""

from gateway.journal.room import FLUSH_INSTANCES_MAX, LOCATOR_KEY_LENGTH, Journal, JournalSpace

__all__ = ["FLUSH_INSTANCES_MAX", "LOCATOR_KEY_LENGTH", "Journal", "JournalSpace"]
