import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewscan.auditing.leaks import Leak
from fewscan.auditing.result import LEAKS_TOLD, AuditResult, Conflict, Dissolved, Pair
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.patients import KnownPatients
from fewscan.images.png import scan_picture
from fewscan.images.turns import Turn
from fewscan.reporting.audit_page import LEAKS_LISTED, write_audit_page
from tests.plain_pages import plain

NOTHING = AuditResult(
    similarity=0.85,
    rows=80,
    images=80,
    set_aside=0,
    pairs=(),
    pairs_between_sources=0,
    copy_sets=0,
    images_in_copy_sets=0,
    patients=KnownPatients(images=80, with_patient=0, patients=0),
    same_head=None,
    groups=80,
    group_sizes={1: 80},
    conflicts=(),
    leaks=(),
)


def near(count: int) -> tuple[Pair, ...]:
    """Pairs of 80 images, from 0.85 to 1 in equal steps."""
    rows = itertools.islice(itertools.combinations(range(80), 2), count)
    scores = np.linspace(0.85, 1, count).tolist()
    return tuple(Pair(a, b, "near", score, mirrored=a % 2 == 1) for (a, b), score in zip(rows, scores, strict=True))


@pytest.fixture
def page(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> Callable[..., str]:
    dataset = make_dataset()
    manifest = dataset.manifest.assign(patient="Jane Doe")
    manifest.loc[1, "path"] = "meningioma/<script>alert(1)</script>.png"

    def write(result: AuditResult) -> str:
        out = write_audit_page(replace(dataset, manifest=manifest), result, tmp_path / "audit.html")
        return out.read_text(encoding="utf-8")

    return write


@pytest.mark.slow
def test_a_page_without_findings_says_so(page: Callable[..., str]) -> None:
    html = page(NOTHING)
    assert "No copies" in html
    assert "No near-duplicates" in html
    assert "<img" not in html


def test_of_leaks_between_very_many_folders_the_largest_are_told_and_all_are_counted(page: Callable[..., str]) -> None:
    folders = [Leak("folders", f"pile/{number:04}", "pile/9999", 2000 - number, 1, 1, ((0, 1),)) for number in range(1500)]
    sources = Leak("sources", "here", "there", 1, 1, 1, ((0, 1),))
    result = replace(NOTHING, leaks=(sources, *folders))
    said = "\n".join(result.lines())
    told = [name for name in ("here", "pile/0000", "pile/0009", "pile/0010") if f" {name} and " in said]
    assert told == ["here", "pile/0000", "pile/0009"]
    assert f"{1500 - LEAKS_TOLD:,} more pairs of folders" in said
    assert result.counts()["leaks_between"] == {"sources": 1, "folders": 1500, "split": 0}
    assert len(result.counts()["leaks"]) == 1 + LEAKS_TOLD
    html = page(result)
    assert html.count("<td>pile/9999</td>") == LEAKS_LISTED
    assert f"And {1500 - LEAKS_LISTED:,} more pairs" in html


def test_conflicts_stand_before_leaks_and_leaks_before_pairs(page: Callable[..., str]) -> None:
    result = replace(
        NOTHING,
        pairs=(Pair(0, 1, "bytes", 1.0, mirrored=False), *near(4)[1:]),
        conflicts=(Conflict(7, (0, 1), ("glioma", "meningioma")),),
        leaks=(Leak("split", "labeled", "test", 1, 1, 1, ((0, 1),)),),
    )
    html = page(result)
    places = [html.index(f'id="{section}"') for section in ("conflicts", "leaks", "near")]
    assert places == sorted(places)
    conflict, leak = html[places[0] : places[1]], html[places[1] : places[2]]
    assert "1 glioma" in conflict
    assert "1 meningioma" in conflict
    assert "same bytes" in leak
    assert html[places[2] :].count('class="pair"') == 3


def test_the_page_loads_nothing_runs_nothing_and_names_no_patient(page: Callable[..., str]) -> None:
    html = page(replace(NOTHING, pairs=(Pair(0, 1, "near", 0.9, mirrored=True),)))
    assert all(address.startswith("data:image/png;base64,") for address in re.findall(r'(?:src|href)="([^"]*)"', plain(html)))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in html
    assert "Jane Doe" not in html


@pytest.mark.slow
def test_of_many_pairs_the_weakest_and_the_strongest_are_shown_and_most_are_weak(page: Callable[..., str]) -> None:
    pairs = near(3000)
    shown = [float(text) for text in re.findall(r"similarity (0\.\d{3}|1\.000)", page(replace(NOTHING, pairs=pairs)))]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0.85, 1.0)
    assert np.median(shown) < 0.9
    assert 100 < len(shown) <= 170


@pytest.mark.slow
def test_slices_of_one_head_are_shown_where_they_were_asked_for(page: Callable[..., str]) -> None:
    assert "one head" not in page(NOTHING)
    pairs = tuple((row, row + 1) for row in range(0, 79))
    html = page(replace(NOTHING, same_head=pairs))
    assert html.count("probably one head") == 40 < len(pairs)
    assert "No slices were found" in page(replace(NOTHING, same_head=()))


@pytest.mark.parametrize("turn", [Turn(turned=180), Turn(mirrored=True, turned=90, inverted=True)])
def test_a_turned_copy_is_shown_as_the_first_lies_in_every_section(
    turn: Turn, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (80, 1, 16, 16), dtype=np.uint8)
    pixels[1], pixels[2] = turn.of(pixels[0]), turn.of(turn.of(pixels[0]))
    pairs = tuple(Pair(row, row + 1, "near", 0.9, *turn) for row in (0, 1))
    result = replace(
        NOTHING,
        pairs=pairs,
        conflicts=(Conflict(0, (0, 1, 2), ("glioma", "meningioma", None)),),
        leaks=(Leak("sources", "a", "b", 1, 1, 1, ((0, 2),)),),
        dissolved=(Dissolved(0, 1, "near", 0.9, *turn, who=None, time="2026"),),
    )
    html = write_audit_page(make_dataset(pixels=pixels), result, tmp_path / "audit.html").read_text(encoding="utf-8")
    # The second pair's first image lies as its file has it: that of row 1, turned once.
    once = [scan_picture(turn.of(pixels[0])), scan_picture(turn.back.of(turn.of(turn.of(pixels[0]))))]
    shown = re.findall(r'<img src="([^"]*)"', html)
    assert shown.count(scan_picture(pixels[0])) == 3 + 2 + 2 + 2
    assert sum(shown.count(picture) for picture in set(once)) == 2
    for row in (0, 1, 2):
        assert f"scan {row}" in html


def test_a_pair_joined_through_others_is_called_so(page: Callable[..., str]) -> None:
    html = page(replace(NOTHING, leaks=(Leak("sources", "a", "b", 1, 1, 1, ((2, 3),)),)))
    (said,) = re.findall(r'<div class="pair">\s*<p>(.*?)</p>', html)
    assert said
    assert not {"similarity", "same"} & set(said.split())


@pytest.mark.slow
def test_of_a_leak_of_which_some_groups_are_shown_it_is_said_of_how_many(page: Callable[..., str]) -> None:
    whole, many = Leak("sources", "a", "b", 1, 1, 1, ((2, 3),)), Leak("folders", "c", "d", 22, 27, 27, ((4, 5),))
    assert re.findall(r"(\d+) of (\d+) groups", page(replace(NOTHING, leaks=(whole, many)))) == [("1", "22")]


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [96, 224])
def test_a_full_page_of_noise_stays_under_five_megabytes(
    size_px: int, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(40, 72, (80, 1, size_px, size_px), dtype=np.uint8)
    dataset = make_dataset(pixels=noise)
    conflict = Conflict(0, tuple(range(20)), ("glioma", "meningioma") * 10)
    result = replace(NOTHING, pairs=near(3000), conflicts=(conflict,) * 40)
    out = write_audit_page(dataset, result, tmp_path / "audit.html")
    assert out.stat().st_size < 5e6


def test_a_page_that_cannot_be_written_is_one_clear_error(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="cannot write"):
        write_audit_page(make_dataset(), NOTHING, tmp_path / "missing" / "audit.html")
