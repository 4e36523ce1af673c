"""The verb pixels."""

from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, app, finish
from fewscan.errors import FewscanError
from fewscan.wording import command_line, counted

if TYPE_CHECKING:
    from fewscan.datasets.moving_pixels import PixelsPlace

_HELP = """Say where pixels lie; move them to a bucket, or back.

A dataset is small but for its pixels. With --to they are copied to a URL and read back byte by byte, and the dataset notes
where they lie; with --remove the files here go afterwards. What is left of the folder can be copied to any machine that reaches
the URL: train, label, embed, evaluate, report, map, explain, export and verify read there what they need, and give the same
results. Only 'add' wants the pixels here: bring them back with --back, and copy them again afterwards.

s3:// needs the package s3fs, gs:// gcsfs, az:// adlfs; keys come from where these look for them. A URL that holds a password is
refused, since the dataset notes it. Other pixels are never overwritten. Stopped at any moment, the same command goes on.

Example: fewscan pixels mri

Example: fewscan pixels mri --to s3://bucket/mri --remove

Example: fewscan pixels mri --back
"""


@app.command("pixels", help=_HELP)
def pixels_(
    dataset: DatasetFolder,
    to: Annotated[str | None, typer.Option(metavar="URL", help="Copy the pixels to a folder at this URL.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the files here, once their copy was read back.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Copy here what lies only elsewhere; it stays there, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move the pixels, where that is asked for, and say where they lie."""
    if to is not None and to.startswith("memory://"):
        raise FewscanError(f"what is copied to {to} is gone when this command ends: name a place that stays")
    place = api.move_pixels(dataset, to=to, remove=remove, back=back)
    finish(as_json, place.model_dump(mode="json"), _lines(place))


def _lines(place: "PixelsPlace") -> list[str]:
    lines = [f"{counted(place.images, 'image')} in {place.folder}"]
    copied = "" if place.url is None else f"; copied to {place.url}"
    if place.copied_images < place.images and copied:
        copied += f", the first {counted(place.copied_images, 'image')} alone"
    for name, size_bytes in place.files.items():
        where = f"at {place.url} alone" if name in place.away else f"here{copied}"
        lines.append(f"  {name}: {size_bytes / 1e6:,.1f} MB, {where}")
    if place.away:
        lines.append(f"  {command_line('pixels', place.folder, '--back')} brings here what lies there alone")
    if place.copied_images == place.images and len(place.away) < len(place.files):
        lines.append(f"  {command_line('pixels', place.folder, '--remove')} reads the copy and removes the files here")
    return lines
