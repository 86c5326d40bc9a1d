"""The root of a folder store: the very folder that was opened, and not another under its name.

Without a look at it, a store that is not mounted any more is an empty folder: what is put goes where nobody
will find it once the store is back, and everything else is not there, which others take for damage.
"""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.errors import ObjectAbsentError, StoreUnavailableError
from gateway.storage.trouble import translated

P = ParamSpec("P")
T = TypeVar("T")


class Root:
    """Blocking, for threads. It stays open: nobody else gets its number, and nobody unmounts it unseen."""

    def __init__(self, folder: Path) -> None:
        """Raises `StoreUnavailableError`."""
        self.folder = folder
        with translated(folder):
            self._fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._opened = os.fstat(self._fd)

    def check(self) -> None:
        """Raises `StoreUnavailableError` if another folder, or none, is there now."""
        with translated(self.folder):
            there = os.stat(self.folder)
        if not os.path.samestat(there, self._opened):
            raise StoreUnavailableError(f"{self.folder} is not the folder that was opened: is it mounted?")

    def guarding(self, call: Callable[P, T]) -> Callable[P, T]:
        """The call, for which nothing is absent because the whole store is."""

        @wraps(call)
        def guarded(*arguments: P.args, **named: P.kwargs) -> T:
            try:
                return call(*arguments, **named)
            except ObjectAbsentError:
                self.check()
                raise

        return guarded

    def close(self) -> None:
        """Nothing is asked of it any more."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
