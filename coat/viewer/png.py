"""A tree as a PNG, drawn by resvg from the SVG."""

from coat.viewer.data import View
from coat.viewer.svg import LIMIT, svg


def png(view: View, limit: int = LIMIT, zoom: float = 2.0) -> bytes:
    """The picture of `svg`, `zoom` pixels for each of its own.

    The machine's fonts are used, and those that come with matplotlib where it has none or not the ones asked for.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    import matplotlib
    import resvg_py

    fonts = f"{matplotlib.get_data_path()}/fonts/ttf"
    drawn: bytes = resvg_py.svg_to_bytes(
        svg_string=svg(view, limit), zoom=zoom, font_dirs=[fonts], monospace_family="DejaVu Sans Mono"
    )
    return drawn
