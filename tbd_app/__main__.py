"""`python -m tbd_app` is `tbd`."""

from tbd_app.cli import main

if __name__ == "__main__":
    main()
