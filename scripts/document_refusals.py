"""Prints docs/operating/refusals.md, made from the catalogue; `make docs` puts it in its place."""

import sys

from gateway.cli.explaining import document

sys.stdout.write(document())
