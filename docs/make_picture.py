"""Make the README's picture: the demo's page in headless Chromium, at desktop or phone width.

    python docs/make_picture.py                      # writes docs/page.png
    python docs/make_picture.py --width 390 -o x.png   # to look at it as on a phone

Needs chromium on the PATH (Debian's package of that name) and Pillow.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from zhufeng.cli import main as zhufeng

# More than the page has.
_HEIGHT = 12000
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
)


def photograph(page: Path, width: int, picture: Path, folder: Path) -> None:
    """Write a picture of `page` at `width`, cut below its last line."""
    # Chromium's own windows are at least 500 pixels wide; a frame may be narrower.
    frame = folder / "frame.html"
    style = f"border:0;width:{width}px;height:{_HEIGHT}px"
    frame.write_text(f'<body style="margin:0"><iframe src="{page.as_uri()}" style="{style}">')
    raw = folder / "raw.png"
    subprocess.run(
        [
            shutil.which("chromium") or "google-chrome",
            *_FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={max(width, 500)},{_HEIGHT}",
            f"--screenshot={raw}",
            frame.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    with Image.open(raw) as image:
        whole = image.convert("RGB").crop((0, 0, width, _HEIGHT))
    ink = ImageChops.difference(whole, Image.new("RGB", whole.size, "white")).getbbox()
    whole.crop((0, 0, width, (ink[3] if ink else 0) + 24)).save(picture, optimize=True)


def main() -> int:
    """Run the demo and photograph its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("page.png"))
    parser.add_argument("--run", type=Path, help="another run than the demo's")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = flags.run or folder / "run"
        code = 0 if flags.run else zhufeng(["demo", "-o", str(run)])
        photograph((run / "index.html").resolve(), flags.width, flags.output, folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
