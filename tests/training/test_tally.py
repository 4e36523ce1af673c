"""The words of an epoch's line are explained where a training begins."""

from fewscan.training.tally import SPOKEN, legend, spoken


def test_every_word_of_an_epochs_line_is_explained_and_no_other() -> None:
    numbers = dict.fromkeys(SPOKEN, 0.5) | {"loss": 1.0}
    for some in (numbers, {"loss": 1.0, "p_acc": 0.5, "probe_accuracy": None}):
        said, explained = spoken(some), legend(some)
        for word in SPOKEN.values():
            assert (f"{word} " in said) == (f"{word}: " in explained)
