"""The size that scans are stored at, where `auto` settles it by how large they are and how many."""

from typing import NamedTuple

from fewscan.images.options import USUAL_PX

# What ImageNet's weights learned at. What it was worth over USUAL_PX: docs/search.md, 29.
FINER_PX = 224
FINER_WORTH = "5 to 7 points of accuracy"
# By how much larger than they are stored scans must be for more pixels to show more.
MUCH_LARGER = 2
# So many scans of FINER_PX take 2 GB, and an encoder looks at a thousand of them in a minute or two of a core.
MOST_SCANS = 20_000


class Sides(NamedTuple):
    """How large scans are, of which some were looked at, and how many there are."""

    median_px: int  # of the longer sides of those looked at; 0 where none can be read
    scans: int

    def chosen_px(self, *, pretrained: bool) -> int:
        """Return the size that is chosen; pretrained: whether ImageNet's weights are installed, for which finer scans pay."""
        return FINER_PX if pretrained and self._larger_than(USUAL_PX) and self.scans <= MOST_SCANS else USUAL_PX

    def sentence(self, size_px: int, *, chosen: bool, pretrained: bool) -> str:
        """Return what was seen of scans that are stored at a size, chosen or asked for, and what another size brings.

        It is empty where nothing is lost, and where nothing finer is chosen.
        """
        seen = f"size: scans of {self.median_px:,} px (median) are stored at {size_px} px"
        if chosen and size_px == FINER_PX:
            return (
                f"{seen}, at which ImageNet's weights learned (--size {size_px}); --size {USUAL_PX} takes a fifth of the time, "
                f"and cost {FINER_WORTH} in our tests"
            )
        if size_px >= FINER_PX or not self._larger_than(size_px):
            return ""
        many = f", since there are more than {MOST_SCANS:,}" if chosen and self.scans > MOST_SCANS else ""
        weights = "" if pretrained else "with pip install 'fewscan[pretrained]', "
        return (
            f"{seen}{many}; {weights}--size {FINER_PX} was worth {FINER_WORTH} in our tests, and takes up to "
            f"{(FINER_PX / size_px) ** 2:.0f} times as long"
        )

    def _larger_than(self, size_px: int) -> bool:
        return self.median_px >= MUCH_LARGER * size_px
