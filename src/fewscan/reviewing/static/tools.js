// The tools beside a scan: window, zoom, moving about, by buttons and by keys.

import { element } from "./asking.js";
import { Viewer } from "./viewer.js";

// The viewer of the page's canvas, and what its keys do.
export function viewerWithTools() {
  const viewer = new Viewer(element("canvas"), showWindow);

  function showWindow() {
    const shown = viewer.image;
    const said = [];
    if (shown?.note) said.push(shown.note);
    if (viewer.hasWindow && (viewer.black !== shown.black || viewer.white !== shown.white || shown.bits === 16)) {
      said.push(`level ${((viewer.white + viewer.black) / 2).toPrecision(4)}, window ${Math.abs(viewer.white - viewer.black).toPrecision(4)}`);
    }
    if (viewer.zoom > 1) said.push(`zoom ${viewer.zoom.toFixed(1)}`);
    element("window-said").textContent = said.join(" · ");
  }

  function toggleMove() {
    viewer.moves = !viewer.moves;
    element("move").setAttribute("aria-pressed", String(viewer.moves));
  }

  const keys = {
    "[": () => viewer.adjust(-0.05, 0), "]": () => viewer.adjust(0.05, 0), "{": () => viewer.adjust(0, -0.1), "}": () => viewer.adjust(0, 0.1),
    "+": () => viewer.scale(1.25), "=": () => viewer.scale(1.25), "-": () => viewer.scale(0.8), 0: () => viewer.reset(), m: toggleMove,
  };
  const clicks = { darker: "]", brighter: "[", flatter: "}", steeper: "{", smaller: "-", larger: "+", reset: 0, move: "m" };
  for (const [id, key] of Object.entries(clicks)) element(id).addEventListener("click", () => keys[key]());
  return { viewer, keys };
}
