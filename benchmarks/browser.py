"""A headless Chromium, the machine's own where there is one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coat.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""No background traffic, and the processor draws, so that figures do not hang on a graphics card."""


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser that is closed in the end.

    Raises:
        ModuleNotFoundError: Playwright is not installed.
        InputError: there is no Chromium.
    """
    from playwright.sync_api import Error, sync_playwright

    own = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=own, args=list(QUIET))
        except Error as error:
            reason = str(error).partition("\n")[0]
            raise InputError(
                f"no Chromium starts ({reason}); install it, or run `playwright install chromium`"
            ) from error
        try:
            yield browser
        finally:
            browser.close()
