"""The live view in a browser: a page with the picture, its figures and the stream's controls.

The parts that need the extra ``browser`` are imported when a page is opened.
"""

from rtseg.stream.sinks.browser.browser_sink import BrowserSink
from rtseg.stream.sinks.browser.settings import BrowserConfig

__all__ = ["BrowserConfig", "BrowserSink"]
