"""Trouble with a folder: what the system says, as the house says it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import ObjectAbsentError, StoreFullError, StoreUnavailableError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def translated(path: Path, *, reading: bool = False) -> Iterator[None]:
    """`StoreFullError` or `StoreUnavailableError` for an `OSError`; `ObjectAbsentError` when reading."""
    try:
        yield
    except OSError as error:
        said = f"{path.name}: {error.strerror or error}"
        if error.errno in _FULL:
            raise StoreFullError(said) from error
        if reading and isinstance(error, FileNotFoundError | NotADirectoryError):
            raise ObjectAbsentError(said) from error
        raise StoreUnavailableError(said) from error
