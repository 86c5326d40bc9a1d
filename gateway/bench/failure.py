"""Failures of the bench: what cannot be measured at all, and runs whose figures must not be used."""

from gateway.errors import GatewayError


class BenchError(GatewayError):
    """Nothing can be measured; the message says what to do."""


class RunFailedError(GatewayError):
    """One run came to nothing: a server that did not start, a load that broke off, a miscount."""


class BenchUsageError(BenchError):
    """What was asked for does not exist, or is no number: wrong usage, and nothing was measured."""
