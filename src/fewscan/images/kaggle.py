"""The study's three sources, fetched from Kaggle by name with kagglehub, which is an extra."""

import sys
import zipfile
import zlib
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.progress import say
from fewscan.wording import command_line, one_line

KAGGLE_PREFIX = "kaggle:"


@dataclass(frozen=True)
class KaggleSet:
    """A data set on Kaggle, and what the study used of it.

    `handle` is OWNER/NAME as Kaggle writes it, `folder` the folder below the download that holds the scans ("" for all of it),
    `parts` the folders that must be there below `folder`.
    """

    handle: str
    folder: str = ""
    parts: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """The address of its page, for people."""
        return f"https://www.kaggle.com/datasets/{self.handle}"


KAGGLE_SETS = {
    "nickparvar": KaggleSet("masoudnickparvar/brain-tumor-mri-dataset", folder="Testing"),
    "sartaj": KaggleSet("sartajbhuvaji/brain-tumor-classification-mri", parts=("Training", "Testing")),
    "dubail": KaggleSet("thomasdubail/brain-tumors-256x256", folder="Data"),
}


def check_name(name: str) -> None:
    """Raise FewscanError unless `name` is one of KAGGLE_SETS."""
    if name not in KAGGLE_SETS:
        raise FewscanError(f"fewscan cannot fetch '{KAGGLE_PREFIX}{name}': {nearest(name, KAGGLE_SETS)}")


def fetch(name: str) -> Path:
    """Download one of KAGGLE_SETS into kagglehub's cache, unless it is there, and return the folder with its scans.

    Before anything is sent, a line on standard error says from where to where. Raises FewscanError, with the way to do it by
    hand, where kagglehub is not installed, Kaggle cannot be reached or refuses, the disk is full, or the download does not
    hold the folders that the study used.
    """
    wanted = KAGGLE_SETS[name]
    # kagglehub writes to standard output, which belongs to results; its log keeps the stream that it is imported under.
    with redirect_stdout(sys.stderr):
        root = _download(name, wanted)
    folder = root / wanted.folder
    for needed in [folder, *(folder / part for part in wanted.parts)]:
        if not needed.is_dir():
            raise FewscanError(
                f"{wanted.page} was downloaded to {root}, but has no folder '{needed.relative_to(root)}': "
                f"find its scans there, and give their folder as {name}=FOLDER"
            )
    return folder


def _download(name: str, wanted: KaggleSet) -> Path:
    source = f"{name}={Path('FOLDER', wanted.folder)}"
    by_hand = f"download {wanted.page} by hand, unpack it into FOLDER, and run '{command_line('import', source)} ...'"
    try:
        import kagglehub
        import requests
        from kagglehub.config import get_cache_folder
        from kagglehub.exceptions import BackendError, CredentialError, DataCorruptionError, NotFoundError
    except ImportError as error:
        raise FewscanError(
            f"'{KAGGLE_PREFIX}{name}' needs the package {error.name}: pip install 'fewscan[kaggle]', or {by_hand}"
        ) from None

    cache = get_cache_folder()
    say(f"{KAGGLE_PREFIX}{name}: fetching {wanted.page} with kagglehub into {cache}, unless it is there already")
    try:
        return Path(kagglehub.dataset_download(wanted.handle))
    except requests.HTTPError as error:
        reason = one_line(error)
        if error.response is not None and error.response.status_code in (401, 403):
            reason = f"Kaggle refused it ({error.response.status_code}): it may need an API token in KAGGLE_API_TOKEN"
    except (requests.ConnectionError, requests.Timeout):
        reason = "no connection to Kaggle"
    except requests.RequestException as error:
        reason = f"the download failed: {one_line(error)}"
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        reason = f"{error.strerror or error}{where}; kagglehub's cache is {cache} (KAGGLEHUB_CACHE=DIRECTORY moves it)"
    # ValueError: of the credentials, the answer or the archive.
    except (ValueError, zipfile.BadZipFile, zlib.error, DataCorruptionError) as error:
        reason = f"kagglehub cannot read what it found: {one_line(error)}"
    # These come from the notebooks of Kaggle and Colab, where sets are mounted instead of downloaded.
    except (BackendError, CredentialError, NotFoundError) as error:
        reason = one_line(error)
    raise FewscanError(f"cannot fetch {KAGGLE_PREFIX}{name}: {reason}; fix that, or {by_hand}")
