"""What axe-core says of a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_axe = Axe()


def violations(page: Page, state: str) -> list[str]:
    """The serious and critical ones: state, rule and places."""
    page.wait_for_function("document.getAnimations().length === 0")  # colours on their way are none to judge
    found = _axe.run(page).response["violations"]
    return [
        f"{state}: {rule['id']}: {[node['target'] for node in rule['nodes']][:4]}: {rule['nodes'][0].get('failureSummary')}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
