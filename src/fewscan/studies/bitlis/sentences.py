"""What a comparison found about the study, in words; the first sentence says whether `joint` beats `supervised`."""

from fewscan.comparison.results import Pair, Results
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.protocols import titled
from fewscan.reporting.comparing import sentences
from fewscan.reporting.comparing.sentences import NOT_RUN, verdict
from fewscan.studies.bitlis.outcome import STAND_IN, stands_in
from fewscan.studies.bitlis.published import LEFT_OUT, LENGTH, PROPOSED, PUBLISHED
from fewscan.wording import listed

SCORE = "val_p_acc"


def headline(results: Results) -> str:
    """Return one sentence: under each protocol, whether `joint` beats `supervised`, the row that the study left out."""
    sentence = "; ".join(_against_left_out(results, protocol) for protocol in results.comparison.plan.protocols)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _against_left_out(results: Results, protocol: Protocol) -> str:
    """Return the headline's clause about one protocol."""
    pair = results.pair(protocol, PROPOSED, LEFT_OUT)
    if pair is None:
        why = _why_unpaired(results, protocol)
        return f"on the split {titled(protocol)} it is not known whether {PROPOSED} beats {LEFT_OUT}, since {why}"
    first, second = (PROPOSED, LEFT_OUT) if pair.of_methods else (f"the one network of {PROPOSED}", f"that of {LEFT_OUT}")
    return f"on the split {titled(protocol)} {first} {_beats(pair, second)} ({sentences.evidence(results, pair, SCORE)})"


def _beats(pair: Pair, second: str) -> str:
    if pair.difference > 0:
        return f"{'beats' if pair.significant else 'does not beat'} {second} with statistical significance"
    if pair.difference == 0:
        return f"does not beat {second}: they are level"
    if pair.significant:
        return f"does not beat {second}: it is worse with statistical significance"
    return f"does not beat {second}: it is lower, though not with statistical significance"


def _why_unpaired(results: Results, protocol: Protocol) -> str:
    missing = [name for name in (PROPOSED, LEFT_OUT) if not results.row(protocol, name).runs]
    if not missing:
        return "they were not run with a seed in common"
    return f"{listed(missing)} {'were' if len(missing) > 1 else 'was'} {NOT_RUN}"


def findings(results: Results) -> list[str]:
    """Return what else there is to say: the place of `joint` in the study's own tables, and what copies are worth."""
    worth = sentences.worth_of_copies(results)
    places = [ranking(results, protocol) for protocol in results.comparison.plan.protocols]
    return places if worth is None else [*places, worth]


def ranking(results: Results, protocol: Protocol) -> str:
    """Return a sentence on whether `joint` is the best of the study's four rows in val_p_acc."""
    if not results.row(protocol, PROPOSED).runs:
        place = f"the place of {PROPOSED} among the study's four rows is not known, since it was {NOT_RUN}"
        return f"On the split {titled(protocol)} {place}."
    pairs = {other: results.pair(protocol, PROPOSED, other) for other in PUBLISHED if other != PROPOSED}
    known = [pair for pair in pairs.values() if pair is not None]
    missing = [other for other, pair in pairs.items() if pair is None]
    rest = f" {listed(missing)} {'were' if len(missing) > 1 else 'was'} {NOT_RUN} with its seeds." if missing else ""
    if not known:
        return f"On the split {titled(protocol)} there is no other of the study's four rows to compare {PROPOSED} with.{rest}"
    closest = min(known, key=lambda pair: pair.difference)
    rows = "those of the study's four rows that were run" if missing else "the study's four rows"
    if closest.difference > 0:
        said = f"{PROPOSED} is the best of {rows}, and {closest.second} is next"
    elif closest.difference == 0:
        said = f"{PROPOSED} shares the first place among {rows} with {closest.second}"
    else:
        said = f"{PROPOSED} is not the best of {rows}: {closest.second} is better"
    return f"On the split {titled(protocol)} {said} ({sentences.evidence(results, closest, SCORE)}: {verdict(closest)}).{rest}"


def caption(results: Results) -> str:
    """Return in two or three sentences how the runs were made and what differs from the study."""
    said = f"{sentences.caption(results)} {LENGTH}"
    return f"{said} {STAND_IN}" if stands_in(results) else said
