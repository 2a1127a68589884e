import tbd_app.lean  # noqa: F401 - before whatever imports timm
