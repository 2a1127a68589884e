"""Start the web page: `python app.py`, then http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT change the address.
"""

import os

from tbd_app.web import uploads


def main() -> None:
    """Serve until interrupted."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    uploads.prepare_temp_dir()
    from tbd_app.web.page import build_page, launch_options  # after the environment that gradio reads

    build_page().launch(**launch_options())


if __name__ == "__main__":
    main()
