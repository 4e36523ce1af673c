"""What is wrong with how a page looks, as a browser computes it: faint text, small controls, a page wider than its window."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import playwright.sync_api as playwright

SCHEMES: Final = ("light", "dark")
FINGER_PX = 40

# Of each text that is seen and can be acted on: its contrast with what lies behind it, where it is below WCAG 2.2's AA (1.4.3).
_FAINT = """() => {
  const parts = (color) => { const found = color.match(/[\\d.]+/g).map(Number); return [...found.slice(0, 3), found[3] ?? 1]; };
  const over = (upper, lower) => [0, 1, 2].map((at) => upper[at] * upper[3] + lower[at] * (1 - upper[3]));
  const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => 0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
  const styles = (element) => element ? [getComputedStyle(element), ...styles(element.parentElement)] : [];
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(
    "script, style, svg, .unseen, .skip-link, :disabled");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const [element, text] = [walker.currentNode.parentElement, walker.currentNode.textContent.trim()];
    if (!text || !seen(element)) continue;
    const lineage = styles(element);
    const [style] = lineage;
    const ground = lineage.reduceRight((lower, one) => over(parts(one.backgroundColor), lower), [255, 255, 255]);
    const [red, green, blue, alpha] = parts(style.color);
    const opacity = lineage.reduce((product, one) => product * Number(one.opacity), alpha);
    const both = [light(over([red, green, blue, opacity], ground)), light(ground)];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (contrast < least) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)}`);
  }
  return faint;
}"""

# Of each control that is seen and does not stand within a sentence: its size, where a finger misses it. Of a choice it is the
# size of its label.
_SMALL = """least => [...document.querySelectorAll("button, a, select, input, summary, label:has(input)")].filter((one) => {
  if (one.matches(".skip-link, label input") || !one.checkVisibility({ visibilityProperty: true })) return false;
  const { width, height } = one.getBoundingClientRect();
  return getComputedStyle(one).display !== "inline" && (width < least || height < least);
}).map((one) => `${one.id || one.textContent.trim()}: ${Math.round(one.offsetWidth)} x ${Math.round(one.offsetHeight)}`)"""

_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def faint_texts(page: "playwright.Page") -> list[str]:
    """Return the texts that are too faint for what lies behind them, with their contrast."""
    return page.evaluate(_FAINT)  # type: ignore[no-any-return]


def small_controls(page: "playwright.Page") -> list[str]:
    """Return the controls that are smaller than `FINGER_PX` on a side, with their sizes."""
    return page.evaluate(_SMALL, FINGER_PX)  # type: ignore[no-any-return]


def scrolls_sideways(page: "playwright.Page") -> bool:
    """Return whether the page is wider than its window."""
    return bool(page.evaluate(_WIDER) > 0)
