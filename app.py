"""Start the web page: `python app.py`, then http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT change the address; docs/deploy.md lists the rest.
"""

import os
import signal
import sys
from typing import NoReturn

from tbd_app.errors import TBDError
from tbd_app.media import rights, sandbox
from tbd_app.web import uploads


def main() -> None:
    """Serve until interrupted or terminated; nothing of anybody's is then left on the disk."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    signal.signal(signal.SIGTERM, _interrupt)
    rights.hide()
    try:
        uploads.prepare_temp_dir()
        from tbd_app.web.page import build_page, launch_options  # after the environment that gradio reads

        page = build_page()
        page.launch(**launch_options(page))
    except TBDError as error:
        sys.exit(error.message)
    except KeyboardInterrupt:
        pass  # before the page was up
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sandbox.close()
        uploads.close()
    sys.stdout.flush()
    os._exit(0)  # an analysis that is still at work would be waited for


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
