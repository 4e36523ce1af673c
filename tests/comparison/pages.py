"""A page as its reader gets it."""

from html.parser import HTMLParser

from tests.plain_pages import plain


class Page(HTMLParser):
    """What a reader sees of a page, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.cells: list[list[str]] = []  # of every table row
        self.captions: list[str] = []
        self.command = ""
        self._words: list[str] = []
        self._inside: list[str] = []
        self.feed(plain(html))
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [values[name] for name in ("src", "srcset", "href", "action", "data") if name in values]
        if tag == "img":
            self.alternatives.append(values["alt"])
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag == "caption":
            self.captions.append("")
        if tag in ("td", "th", "caption", "style", "script", "pre"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._inside):
            self._words.append(data)
        if "td" in self._inside or "th" in self._inside:
            self.cells[-1][-1] = " ".join(f"{self.cells[-1][-1]} {data}".split())
        if "caption" in self._inside:
            self.captions[-1] = " ".join(f"{self.captions[-1]} {data}".split())
        if "pre" in self._inside:
            self.command += data

    def rows_below(self, group: str, after: int = 0) -> dict[str, list[str]]:
        """The rows of a table's row group, by their first cell; `after`: how many groups of that name are passed over."""
        start = [number for number, cells in enumerate(self.cells) if cells == [group]][after]
        rows = {}
        for cells in self.cells[start + 1 :]:
            if len(cells) == 1 or cells[0] == "percent":
                break
            rows[cells[0]] = cells[1:]
        return rows
