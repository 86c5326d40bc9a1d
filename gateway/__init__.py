"""Kuvavaranto: a national imaging archive that keeps what it acknowledged, and can prove it."""
