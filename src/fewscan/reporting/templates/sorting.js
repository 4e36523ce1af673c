// A table sorts by the column whose head is clicked: numbers the largest first, words from a to z, then the other way round.
// A cell's data-value is what counts, where it has one; what has no value stays last.
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => (row.cells[column].dataset.value ?? row.cells[column].textContent).trim();
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = Array.from(body.rows);
      const known = rows.filter((row) => value(row, column) !== "");
      const numbers = known.every((row) => Number.isFinite(Number(value(row, column))));
      const before = head.getAttribute("aria-sort");
      const up = before === null ? !numbers : before === "descending";
      const order = (one, other) =>
        numbers ? value(one, column) - value(other, column) : value(one, column).localeCompare(value(other, column));
      known.sort((one, other) => (up ? order(one, other) : order(other, one)));
      body.append(...known, ...rows.filter((row) => value(row, column) === ""));
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  });
}
