"""The verb pixels."""

from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, app, finish
from fewscan.errors import FewscanError
from fewscan.wording import command_line, counted

if TYPE_CHECKING:
    from fewscan.datasets.moving_pixels import PixelsPlace

_HELP = """Say where pixels are stored; move them to a bucket, or back.

Without its pixels a dataset is small. --to copies them to a URL and reads them back byte by byte, and the dataset records the
place; --remove then removes the files here. You can copy the folder that is left to any machine that reaches the URL: train,
label, embed, evaluate, report, map, explain, export and verify read from there what they need, and give the same results. Only
'add' needs the pixels here: bring them back with --back, and copy them again afterwards.

s3:// needs the package s3fs, gs:// gcsfs, az:// adlfs; keys come from where these look for them. A URL that holds a password is
refused, since the dataset records it. Other pixels are never overwritten. You can stop it at any time: the same command
continues.

Example: fewscan pixels mri

Example: fewscan pixels mri --to s3://bucket/mri --remove

Example: fewscan pixels mri --back
"""


@app.command("pixels", help=_HELP)
def pixels_(
    dataset: DatasetFolder,
    to: Annotated[str | None, typer.Option(metavar="URL", help="Copy the pixels to a folder at this URL.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the files here, after their copy was read back.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Copy back what is only at the URL; it also stays there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move the pixels, where that is asked for, and say where they are."""
    if to is not None and to.startswith("memory://"):
        raise FewscanError(f"what is copied to {to} is gone when this command ends: name a place that lasts")
    place = api.move_pixels(dataset, to=to, remove=remove, back=back)
    finish(as_json, place.model_dump(mode="json"), _lines(place))


def _lines(place: "PixelsPlace") -> list[str]:
    lines = [f"{counted(place.images, 'image')} in {place.folder}"]
    copied = "" if place.url is None else f"; copied to {place.url}"
    if place.copied_images < place.images and copied:
        copied += f", but only the first {counted(place.copied_images, 'image')}"
    for name, size_bytes in place.files.items():
        where = f"only at {place.url}" if name in place.away else f"here{copied}"
        lines.append(f"  {name}: {size_bytes / 1e6:,.1f} MB, {where}")
    if place.away:
        lines.append(f"  {command_line('pixels', place.folder, '--back')} brings back what is only there")
    if place.copied_images == place.images and len(place.away) < len(place.files):
        lines.append(f"  {command_line('pixels', place.folder, '--remove')} reads the copy and removes the files here")
    return lines
