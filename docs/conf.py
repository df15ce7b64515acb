"""
How Sphinx builds the documentation: ``make docs``; every warning is an error.

1. The pages are Markdown that reads as well in a checkout; only ``index.md`` has directives of Sphinx.
2. Nothing that a page shows is loaded from elsewhere: no fonts, no scripts, no images.
3. A link that leads to no page, no file or no heading is a warning, and so an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Pinscher"
author = "the Pinscher contributors"
html_title = "Pinscher"
extensions = ["myst_parser"]
exclude_patterns: list[str] = []
myst_heading_anchors = 4
nitpicky = True
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["pinscher.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"


def plain_where_unknown(_: Sphinx, doctree: nodes.document) -> None:
    """Show a block without a language, or with one that the highlighter does not know, as it stands."""
    for block in doctree.findall(nodes.literal_block):
        if block.get("language") in {"default", "none", "caddy", "csv", "http"}:
            block["language"] = "text"


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what this file adds."""
    app.connect("doctree-read", plain_where_unknown)
