"""The command line; `tbd_app.cli:main` is what `tbd` runs."""

from tbd_app.cli.main import main

__all__ = ["main"]
