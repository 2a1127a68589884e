"""Which page of a TIFF is the picture: its thumbnails, and what only a camera's own program can read, are known by tags."""

from __future__ import annotations

from PIL import Image

from tbd_app.errors import NotMedia

MAX_PAGES = 100  # that are looked at
_SUBFILE, _SUB_IFDS, _DNG = 254, 330, 50706  # tags; TIFF 6.0, section 8, and the DNG specification


def turn_to_main(image: Image.Image) -> list[str]:
    """Turn to the largest page of a TIFF that is no thumbnail; sentences on those that are left out.

    Raises:
        NotMedia: it holds a thumbnail of what only a camera's own program can read.
    """
    pages = []
    for i in range(min(getattr(image, "n_frames", 1), MAX_PAGES)):
        image.seek(i)
        tags = getattr(image, "tag_v2", {})
        reduced = bool(int(tags.get(_SUBFILE, 0)) & 1)
        pages.append((not reduced, image.width * image.height, -i))
        if _DNG in tags or (reduced and _SUB_IFDS in tags):
            raise NotMedia("This is a raw picture of a camera, which is not read here; export it as JPEG.")
    best = max(pages)
    image.seek(-best[2])
    full = [page for page in pages if page[0] == best[0]]
    which = "first" if best[2] == 0 else "largest"
    return [f"Only the {which} of {len(full)} pages is used."] if len(full) > 1 else []
