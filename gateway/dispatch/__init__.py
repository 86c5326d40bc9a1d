"""Telling others: the outbox and what leaves through it."""
