"""Web addresses as sources: telling images from streams, fetching into memory, hiding passwords."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse

from ultralytics.errors import DownloadError, SourceError
from ultralytics.utils.downloads import is_offline
from ultralytics.version import __version__

_MAX_BYTES = 256 << 20
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Tell whether a text is an address such as `https://…` or `rtsp://…`."""
    return _SCHEME.match(text) is not None


def is_http(text: str) -> bool:
    """Tell whether a text is an http or https address."""
    return text.lower().startswith(("http://", "https://"))


def shown(location: str) -> str:
    """Leave user name and password out of an address, for messages and file names."""
    return re.sub(r"(?<=://)[^/@]*@", "", location)


def fetch(url: str, *, timeout: float) -> bytes:
    """Read what is behind an http address into memory.

    Raises:
        DownloadError: it cannot be had in time, or is larger than an image may be.
    """
    with _opened(url, timeout) as response:
        data = response.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise DownloadError(f"'{shown(url)}' is larger than {_MAX_BYTES >> 20} MiB. Download it and give the file.")
    return data


def is_image_address(url: str, *, timeout: float) -> bool:
    """Ask a server whether an address is that of an image; if not, it is a stream.

    Raises:
        DownloadError: the server does not answer.
        SourceError: it is a web page.
    """
    with _opened(url, timeout) as response:
        kind = response.headers.get_content_type()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise SourceError(f"'{shown(url)}' is a web page. Give the address of the image, video or stream itself.")
    return kind.startswith("image/")


@contextmanager
def _opened(url: str, timeout: float) -> Generator[HTTPResponse, None, None]:
    if is_offline():
        raise DownloadError(f"'{shown(url)}' is needed, but YOLO_OFFLINE forbids network use.")
    request = urllib.request.Request(url, headers={"User-Agent": f"ultralytics-semantic/{__version__}"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"'{shown(url)}' cannot be read: the server says {error.code} {error.reason}.") from error
    except (OSError, HTTPException, ValueError) as error:
        raise DownloadError(f"'{shown(url)}' cannot be read: {getattr(error, 'reason', error)}.") from error
