"""Custody: what the archive answers for: volumes assembled, stored, read back; commitment, fixity."""
