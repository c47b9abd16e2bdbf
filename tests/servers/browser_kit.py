"""A headless Chromium that opens the pages of a server, and what it notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
WIDTHS = (400, 900, 1400)
SCHEMES = ("light", "dark")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def axe_source() -> str:
    """Return the script of axe-core."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "axe.min.js").read_text()


class Browser:
    """A browser with one page open."""

    def __init__(self, address: str, *, javascript: bool = True) -> None:
        options = Options()
        options.binary_location = CHROMIUM
        for argument in _ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not javascript:
            setting = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", setting)
        self.driver: Any = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.address = address.rstrip("/")

    def open(
        self, path: str, *, width: int = 1400, height: int = 900, scheme: str = "light"
    ) -> Browser:
        """Open a page of the server."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(self.address + path)
        return self

    @property
    def text(self) -> str:
        """The visible text of the page."""
        return str(self.driver.find_element(By.TAG_NAME, "main").text)

    def wait_for(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Return when a condition is true; fail if it does not become so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # while a page is replaced, an element that was found may be gone
            with suppress(StaleElementReferenceException, NoSuchElementException):
                if condition():
                    return
            time.sleep(0.05)
        raise AssertionError(f"the page has: {self.text[:2000]}")

    def press(self, *keys: str) -> None:
        """Press keys on whatever has the focus."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """Return the name of what has the focus, as a screen reader has it."""
        element = self.driver.switch_to.active_element
        return str(element.get_attribute("aria-label") or element.text or element.accessible_name)

    def tab_to(self, wanted: str, most: int = 200) -> None:
        """Press Tab until the focus is on what has a text."""
        seen = []
        for _ in range(most):
            self.press(Keys.TAB)
            seen.append(self.focused())
            if seen[-1] == wanted:
                return
        raise AssertionError(f"{wanted!r} is not reached with Tab: {seen}")

    def violations(self) -> list[str]:
        """Return what axe-core finds on the page."""
        # as a policy of the page forbids to add a script, the debugger evaluates it
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe_source()})
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']})"
            ".then(found => done(found.violations), wrong => done([{id: String(wrong)}]));"
        )
        return [
            f"{each['id']}: {[node['html'][:200] for node in each.get('nodes', [])][:3]}"
            for each in found
        ]

    def faults(self) -> list[str]:
        """Return messages of the console, and requests to other hosts, since the last call."""
        found = [each["message"] for each in self.driver.get_log("browser")]
        for entry in self.driver.get_log("performance"):
            message: dict[str, Any] = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith((self.address, "data:", "chrome", "about:")):
                    found.append(f"a request to {url}")
        return found

    def overflows(self) -> bool:
        """Return whether the page as a whole can be scrolled to the side."""
        root = "document.documentElement"
        return bool(self.driver.execute_script(f"return {root}.scrollWidth > {root}.clientWidth"))

    def save(self, path: Path) -> None:
        """Save a picture of what is visible."""
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        self.driver.quit()
