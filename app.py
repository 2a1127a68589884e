"""Start the web page: `python app.py`, then http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT change the address; TBD_MCP=1 offers the endpoint as an MCP tool, too;
docs/deploy.md lists the rest.
"""

import os
import signal
import sys
from importlib.util import find_spec
from typing import NoReturn

from tbd_app.errors import TBDError
from tbd_app.media import rights, sandbox
from tbd_app.web import bench, texts, uploads


def main() -> None:
    """Serve until interrupted or terminated; nothing of anybody's is then left on the disk."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    os.environ["GRADIO_NUM_PORTS"] = "1"  # a second page that moves to the next port silently is not found
    if os.environ.get("TBD_MCP") == "1" and find_spec("mcp") is None:
        sys.exit(texts.MCP_MISSING)
    signal.signal(signal.SIGTERM, _interrupt)
    rights.hide()
    bench.few_arenas()
    fault = ""
    try:
        uploads.prepare_temp_dir()
        from tbd_app.web.jobs import default_warm_up
        from tbd_app.web.page import build_page, launch_options  # after the environment that gradio reads

        page = build_page(warm_up=default_warm_up)
        page.launch(**launch_options(page))
    except TBDError as error:
        fault = error.message
    except OSError as error:
        if "empty port" not in str(error):
            raise
        port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
        fault = texts.PORT_TAKEN.format(port=port, other=port + 1)
    except KeyboardInterrupt:
        pass  # before the page was up
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sandbox.close()
        uploads.close()
    if fault:
        print(fault, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # An analysis that is still at work would be waited for; models that are still being loaded would abort the process.
    os._exit(1 if fault else 0)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
