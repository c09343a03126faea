"""A tree as one HTML file that opens anywhere, offline."""

import base64
import hashlib
import html
import json
from functools import cache
from importlib.resources import files

from coat.viewer.data import View

STYLE = "html, body, main { height: 100%; margin: 0 }"
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="coat-viewer"></main>
<script type="application/json" id="coat-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def to_html(view: View) -> str:
    """A page that holds the viewer and the data, and may neither load nor send anything.

    Its policy admits this very script and style by their SHA-256. The data are ASCII without "<", so that no text in
    them can end the element that they stand in.
    """
    code = script()
    policy = f"default-src 'none'; script-src {_hash(code)}; style-src {_hash(STYLE)}; base-uri 'none'"
    data = json.dumps(view, allow_nan=False).replace("<", "\\u003c")
    title = html.escape(f"coat: {view['question'][:100]}").encode("ascii", "xmlcharrefreplace").decode()
    return PAGE.format(policy=policy, title=title, style=STYLE, data=data, script=code)


@cache
def script() -> str:
    """The viewer, built from coat/viewer/web: one ES module, for a page or as the code of an anywidget."""
    return files("coat.viewer").joinpath("static", "viewer.js").read_text(encoding="ascii")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
