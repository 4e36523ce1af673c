"""What a user may say of an import, as one object: where labels and patients come from, and how images are stored."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from fewscan.config import Settings
from fewscan.data.formats.reading import Reading

Resize = Literal["stretch", "pad"]


def _several(paths: Any) -> Any:
    """Return the paths that were written, as texts; one may be written without a list."""
    return tuple(str(path) for path in ([paths] if isinstance(paths, str | Path) else paths))


class LabelColumns(Settings):
    """What the columns of a CSV with labels are called; the patient's may be absent unless it was given another name."""

    path_column: str = "path"
    label_column: str = "label"
    patient_column: str = "patient"


class ImageFormat(Settings):
    """How images are stored: resized to size_px x size_px, as gray (1 channel) or color (3)."""

    size_px: int = pydantic.Field(default=96, ge=8, le=2048)
    resize: Resize = "stretch"
    channels: Literal[1, 3] = 1


class ImportOptions(LabelColumns, ImageFormat, Reading):
    """Everything that `import` can be told besides its sources, with what holds where nothing is said.

    labels: CSVs with labels and patients. unlabeled: folders, FOLDER or NAME=FOLDER, whose scans get no label. rename: old
    name of a class -> new one. The others are those of LabelColumns, ImageFormat and Reading.
    """

    labels: Annotated[tuple[Path, ...], pydantic.BeforeValidator(_several)] = ()
    unlabeled: Annotated[tuple[str, ...], pydantic.BeforeValidator(_several)] = ()
    rename: dict[str, str] = pydantic.Field(default_factory=dict)

    @property
    def image_format(self) -> ImageFormat:
        """How images are stored."""
        return ImageFormat(**self._of(ImageFormat))

    @property
    def reading(self) -> Reading:
        """Which images of a file are read, and how."""
        return Reading(**self._of(Reading))

    def _of(self, part: type[Settings]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in part.model_fields}
