"""What all tests share."""

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait
