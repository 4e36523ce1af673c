"""Data quality and results in a real browser: pairs judged by key, copies settled, scans taken back, a DICOM uploaded."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import torch
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from fewscan.datasets.dataset import Dataset
from fewscan.images.turns import Turn
from fewscan.reviewing.seeing import Seen
from fewscan.reviewing.serving import Served
from fewscan.training.continuing import asked_encoder, ready_encoder
from fewscan.training.encoding import VIEWS, features_of
from tests.made import pairs_table
from tests.reviewing.conftest import answered_late, begins, held_back, opened, says, takes_back

if TYPE_CHECKING:
    import playwright.sync_api as playwright


@pytest.fixture
def dataset(dataset: Dataset) -> Dataset:
    """The pile with pairs: 0-1 and 4-5, which is the more alike, and copies with two labels, 6-7."""
    kinds = {(0, 1): 0.88, (4, 5): 0.99, (6, 7): 0.995}
    pairs = pairs_table((*rows, "near", alike) for rows, alike in kinds.items())
    assert dataset.description.audit is not None
    dataset.labels.enter([6, 7], ["glioma", "meningioma"], origin="folder")
    return dataset.with_pairs(pairs, dataset.description.audit)


def shown(page: "playwright.Page", element: str) -> None:
    """Wait until what is to be answered is on the screen."""
    page.wait_for_function("id => document.getElementById(id).getAttribute('aria-busy') === 'false'", arg=element)


def dicom(path: Path, pixels: np.ndarray) -> Path:
    """One MR image as a file, with two windows to see it by."""
    scan = pydicom.Dataset()
    scan.file_meta = FileMetaDataset()
    scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan.file_meta.MediaStorageSOPClassUID = scan.SOPClassUID = MRImageStorage
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID = generate_uid()
    scan.Modality, scan.PhotometricInterpretation, scan.SamplesPerPixel = "MR", "MONOCHROME2", 1
    scan.BitsAllocated = scan.BitsStored = 16
    scan.HighBit, scan.PixelRepresentation = 15, 0
    scan.Rows, scan.Columns = pixels.shape
    scan.WindowCenter, scan.WindowWidth = [2000, 600], [4000, 200]
    scan.PixelData = pixels.astype("<u2").tobytes()
    scan.save_as(path, enforce_file_format=True)
    return path


WALK = """async () => {
  const { OneByOne, AT_ONCE } = await import("/static/one_by_one.js");
  let rows = [...Array(2 * AT_ONCE + 7).keys()], asked = 0;
  const part = ({ start, count }) => ({ total: rows.length, rows: rows.slice(start, start + count) });
  const list = new OneByOne("rows", async (wanted) => { asked += 1; return part(wanted); }, document.getElementById("pair"));
  await list.load();
  const seen = [list.now];
  for (let at = 1; at < rows.length + 2; at += 1) { await list.step(1); seen.push(list.now); }
  const parts = asked;
  await list.next();
  const around = list.now;
  await list.step(-1);
  const start = list.now;
  await list.goTo(rows.length - 1);
  rows = rows.slice(0, 3);
  await list.load();
  const shorter = list.now;
  rows = [];
  await list.load();
  await list.next();
  return { seen, parts, around, start, shorter, none: list.now === undefined, place: list.place };
}"""


@pytest.mark.slow
def test_a_long_list_is_walked_to_its_end_and_stays_in_place_when_it_shrinks(
    browser: "playwright.Browser", page_server: Served
) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/quality")
    found = page.evaluate(WALK)
    assert found["seen"] == [*range(107), 106, 106]
    assert found["parts"] == 3
    assert (found["around"], found["start"], found["shorter"]) == (0, 0, 2)
    assert found["none"] is True
    assert found["place"] == 0


ANSWERED = """async () => {
  const { OneByOne } = await import("/static/one_by_one.js");
  const view = document.getElementById("pair");
  let rows = [4, 5, 6], write, refuse;
  const list = new OneByOne("rows", async () => ({ total: rows.length, rows }), view);
  const save = (one) => new Promise((done, failed) => {
    write = () => { rows = rows.filter((row) => row !== one); done(); };
    refuse = () => failed(new Error("full disk"));
  });
  const said = [], busy = () => view.getAttribute("aria-busy") === "true";
  await list.load();
  list.show(list.now);
  const answers = [list.answer(save, async () => {}), list.answer(save, async () => said.push("twice"))];
  said.push(busy());
  const loading = list.load();
  write();
  await Promise.all([...answers, loading]);
  said.push(list.now);
  list.show(list.now);
  const refused = list.answer(save, async () => said.push("refused")).catch((error) => error.message);
  refuse();
  said.push(await refused, list.shown, busy());
  return said;
}"""


@pytest.mark.slow
def test_while_an_answer_is_saved_nothing_can_be_answered_and_the_list_waits_for_it(
    browser: "playwright.Browser", page_server: Served
) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/quality")
    assert page.evaluate(ANSWERED) == [True, 5, "full disk", 5, False]


UNDONE = """async ([rows, columns, bits, levels, lying]) => {
  const { undone } = await import("/static/beside.js");
  const image = { rows, columns, bits, levels: Uint8Array.from(levels), width: columns, height: rows, black: 0, white: 255 };
  const found = undone(image, lying);
  return [found.rows, found.columns, found.width, found.height, [...found.levels], found.black > found.white];
}"""


@pytest.mark.slow
def test_a_copy_is_drawn_as_the_first_lies(browser: "playwright.Browser", page_server: Served) -> None:
    page = opened(browser, page_server.address, "Ada", [], "/quality")
    colors = np.random.default_rng(0).integers(0, 256, (3, 4, 6), dtype=np.uint8)
    for turn in (Turn(*each) for each in product((False, True), (0, 90, 180, 270), (False, True))):
        for image, bits in ((colors, 24), (colors[:1], 8)):
            copy = turn.of(image)
            levels = copy.transpose(1, 2, 0).ravel().tolist()
            found = page.evaluate(UNDONE, [*copy.shape[1:], bits, levels, turn._asdict()])
            # Gray levels are inverted by their window, not one by one.
            inverted = bits == 8 and turn.inverted
            assert found[4] == (255 - image if inverted else image).transpose(1, 2, 0).ravel().tolist()
            assert (found[:4], found[5]) == ([4, 6, 6, 4], turn.inverted)


class TestASetOfThree:
    @pytest.fixture
    def dataset(self, dataset: Dataset) -> Dataset:
        """The pile, with 0, 1 and 2 as copies."""
        assert dataset.description.audit is not None
        pairs = pairs_table(((0, 1, "near", 0.88), (0, 2, "near", 0.9), (1, 2, "near", 0.92)))
        return dataset.with_pairs(pairs, dataset.description.audit)

    @pytest.mark.slow
    def test_what_is_no_copy_of_the_others_comes_back_by_undo_and_nothing_else(
        self, browser: "playwright.Browser", page_server: Served
    ) -> None:
        page = opened(browser, page_server.address, "Ada", [], "/quality")

        def said() -> list[tuple[int, int, str]]:
            folder = page_server.review.desk.dataset.folder
            return [(one.row_a, one.row_b, one.verdict) for one in Dataset.open(folder).pair_decisions.entries()]

        shown(page, "pair")
        page.keyboard.press("c")
        says(page, "saved", "Confirmed")
        shown(page, "pair")
        page.click("#pair-set button[aria-label$='take scan 2 out of the set']")
        says(page, "saved", "Scan 2 is out of its set")
        page.wait_for_selector("#pair", state="hidden")
        dissolved = [(0, 2, "apart"), (1, 2, "apart")]
        assert said() == [(0, 1, "together"), *dissolved]
        page.keyboard.press("u")
        says(page, "saved", "Undone: 2 pairs")
        assert said()[3:] == [(0, 2, "open"), (1, 2, "open")]


@pytest.mark.slow
def test_pairs_and_labels_are_judged_by_keys_and_a_dicom_is_predicted(
    browser: "playwright.Browser", page_server: Served, tmp_path: Path
) -> None:
    faults: list[str] = []
    review = page_server.review
    data = review.desk.dataset
    page = opened(browser, page_server.address, "Ada", faults, "/quality")

    begins(page, "pair-said", "1 of 3")
    says(page, "pair-said", "similarity 0.880")
    shown(page, "pair")
    let_in = held_back(page, "**/api/scans/*/levels*")
    page.keyboard.press("d")
    # No second answer to the same pair, and none to a pair that is not on the screen yet.
    page.keyboard.press("d")
    says(page, "saved", "Dissolved")
    says(page, "pair-said", "1 of 2")
    page.keyboard.press("c")
    let_in()
    shown(page, "pair")
    page.keyboard.press("c")
    says(page, "saved", "Confirmed")
    said = [(one.row_a, one.row_b, one.verdict, one.who) for one in Dataset.open(data.folder).pair_decisions.entries()]
    assert said == [(0, 1, "apart", "Ada"), (4, 5, "together", "Ada")]
    page.keyboard.press("u")
    begins(page, "pair-said", "1 of 2")
    page.select_option("#which-pairs", "dissolved")
    says(page, "pair-said", "Dissolved by Ada")

    page.check("input[name=part][value=conflicts]", force=True)
    says(page, "conflicts-told", "1 set of copies")
    shown(page, "conflict")
    page.keyboard.press("1")
    page.wait_for_selector("#conflict", state="hidden")
    assert review.desk.board().labels[[6, 7]].tolist() == ["glioma", "glioma"]

    page.check("input[name=part][value=aside]", force=True)
    page.fill("#by-hand-row", "9")
    page.keyboard.press("Enter")
    says(page, "saved", "Scan 9 is set aside")
    let_in = held_back(page, "**/api/aside/back")
    page.click("#aside-scans button[aria-label$=': image 9']", click_count=2)  # which is once
    page.keyboard.press("u")
    let_in()
    takes_back(page, "not a scan, scan 9")
    again = page.inner_text("#saved")
    page.keyboard.press("u")
    page.wait_for_function("again => document.getElementById('saved').textContent !== again", arg=again)
    takes_back(page, "not a scan, scan 9")
    assert review.desk.board().states[9] == "none"
    page.goto(f"{page_server.address}/results")
    page.wait_for_selector("#none:not([hidden])")

    torch.manual_seed(0)
    ready = ready_encoder(asked_encoder("resnet_small", weights=None), data.description.spec)
    features = features_of(ready.encoder, torch.from_numpy(np.array(data.pixels)), VIEWS[:1])[:, 0].numpy()
    data.labels.enter([1, 2, 3], ["meningioma", "glioma", "meningioma"], origin="review", who="Ada")
    review.tutor.take(Seen(features, "random weights", ready))
    review.tutor.learn()
    page.goto(f"{page_server.address}/model")
    levels = np.linspace(0, 4000, 1600).reshape(40, 40)
    page.set_input_files("#file", dicom(tmp_path / "scan.dcm", levels))
    page.wait_for_selector("#share-rows tr")
    assert page.locator("#share-rows tr").count() == 2
    assert page.locator("#notes li").count() == 1
    # What is said of a file is not said once another one is chosen.
    let_in = answered_late(page, "/api/predict")
    page.set_input_files("#file", dicom(tmp_path / "other.dcm", levels))
    page.wait_for_function("() => window.late.length === 1")
    page.set_input_files("#file", {"name": "scan.dcm", "mimeType": "application/dicom", "buffer": b"no scan"})
    let_in(1, 0)
    page.wait_for_function("() => document.getElementById('trouble').textContent !== ''")
    assert page.is_hidden("#shares")
    assert page.is_hidden("#notes")
    # Of what is refused on purpose the browser complains, too.
    assert [fault for fault in faults if "status of 400" not in fault and "status of 404" not in fault] == []
