// What is dragged on a canvas by a mouse, a pen or one finger, and what two fingers do there. All in pixels of the canvas.

export function placeOn(canvas, event) {
  const [box, ratio] = [canvas.getBoundingClientRect(), window.devicePixelRatio];
  return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
}

// Where two places have their middle, and how far they are apart.
const span = ([[x, y], [u, v]]) => ({ x: (x + u) / 2, y: (y + v) / 2, apart: Math.max(1, Math.hypot(u - x, v - y)) });

// grasp(event): a drag begins; returns what its moves do, drag(across, down, event), and its end, end(event), with null where it
// is none after all. pinch(factor, x, y, across, down): two fingers zoom about a place, and move what is there.
export function heedDrags(canvas, grasp, pinch) {
  const pressed = new Map(); // pointer -> where it is
  let held = null; // what the only one drags
  const letGo = (event) => {
    held?.end(event);
    held = null;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, placeOn(canvas, event));
    if (pressed.size === 1) held = grasp(event);
    else letGo(null);
  });
  canvas.addEventListener("pointermove", (event) => {
    const from = pressed.get(event.pointerId);
    if (!from) return;
    const to = placeOn(canvas, event);
    if (pressed.size === 1) held?.drag(to[0] - from[0], to[1] - from[1], event);
    const before = pressed.size === 2 ? span([...pressed.values()]) : null;
    pressed.set(event.pointerId, to);
    if (!before) return;
    const after = span([...pressed.values()]);
    pinch(after.apart / before.apart, before.x, before.y, after.x - before.x, after.y - before.y);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => { if (pressed.delete(event.pointerId)) letGo(name === "pointerup" ? event : null); });
  }
}
