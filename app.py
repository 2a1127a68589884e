"""Start the web page: `python app.py`, then http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT change the address; TBD_MCP=1 offers the endpoint as an MCP tool, too.
"""

import os
import sys
from importlib.util import find_spec

from tbd_app.web import texts, uploads


def main() -> None:
    """Serve until interrupted."""
    # One port and no search for the next: a second page that moves silently is not found.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_NUM_PORTS="1")
    if os.environ.get("TBD_MCP") == "1" and find_spec("mcp") is None:
        sys.exit(texts.MCP_MISSING)
    uploads.prepare_temp_dir()
    from tbd_app.web.jobs import default_warm_up
    from tbd_app.web.page import build_page, launch_options  # after the environment that gradio reads

    try:
        build_page(warm_up=default_warm_up).launch(**launch_options())
    except OSError as error:
        if "empty port" not in str(error):
            raise
        port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
        sys.exit(texts.PORT_TAKEN.format(port=port, other=port + 1))


if __name__ == "__main__":
    main()
