// Draws the scans that the page holds: as dots, or as pictures on a grid, one a cell. Zoomed in, there are more cells for fewer scans.
const content = JSON.parse(document.getElementById("content").textContent);
const sheet = document.getElementById("sheet");
const canvas = document.getElementById("map");
const panel = document.getElementById("scan");
const legend = document.getElementById("legend");
const choice = document.getElementById("coloring");
const switchPictures = document.getElementById("pictures");
const MARGIN = 0.03; // of the side, round all scans
// What stands for each mark of the map in the legend.
const CIRCLE = '<circle cx="7" cy="7" r="5" stroke-width="2"/>';
const SIGNS = { dot: CIRCLE, ring: CIRCLE, cross: '<path d="M2 2L12 12M2 12L12 2" stroke-width="2"/>' };
const NEAR_PX = { mouse: 14, pen: 14, touch: 24 }; // how near to a scan one has to point
const STILL_PX = 4; // a press that moves less is a click
const view = { x: 0.5, y: 0.5, zoom: 1 }; // the middle, in map coordinates, and how much is enlarged
const hidden = content.colorings.map(() => new Set());
let coloring = 0, pictures = false, kept = -1, pointed = -1, side = 0, drawn = [];

const pixel = (at, middle) => side * (0.5 + (1 - 2 * MARGIN) * view.zoom * (at - middle));
const place = (index) => [pixel(content.xy[index][0], view.x), pixel(1 - content.xy[index][1], view.y)];
const now = () => content.colorings[coloring];
const color = (index) => now().values[now().of[index]].color;
const seen = (index) => !hidden[coloring].has(now().of[index]);

function picture(context, index, left, top, size) {
  const from = [(index % content.columns) * content.side, Math.floor(index / content.columns) * content.side];
  context.drawImage(sheet, ...from, content.side, content.side, left, top, size, size);
}

function draw() {
  const scale = window.devicePixelRatio || 1;
  side = canvas.clientWidth;
  canvas.width = canvas.height = Math.round(side * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  drawn = [];
  const cells = new Map();
  // Whole cells in a row, so that no picture is cut off at an edge.
  const size = side / Math.max(1, Math.floor(side / (content.side * 0.75 + 4)));
  content.xy.forEach((_, index) => {
    const [x, y] = place(index);
    if (!seen(index) || x < -size || y < -size || x > side + size || y > side + size) return;
    if (!pictures) drawn.push([index, x, y]);
    else {
      // Of the scans in a cell the one nearest to its middle stands for all.
      const [column, row] = [Math.floor(x / size), Math.floor(y / size)];
      const middle = [(column + 0.5) * size, (row + 0.5) * size];
      const away = Math.hypot(x - middle[0], y - middle[1]);
      const key = `${column} ${row}`;
      if (!cells.has(key) || away < cells.get(key)[3]) cells.set(key, [index, ...middle, away]);
    }
  });
  if (pictures) {
    for (const [index, x, y] of cells.values()) {
      context.fillStyle = color(index);
      context.fillRect(x - size / 2 + 0.5, y - size / 2 + 0.5, size - 1, size - 1);
      picture(context, index, x - size / 2 + 2.5, y - size / 2 + 2.5, size - 5);
      drawn.push([index, x, y]);
    }
  } else {
    const radius = Math.min(7, 2.6 * Math.sqrt(view.zoom));
    // What says nothing lies below what does.
    const order = drawn.slice().sort((one, other) => now().of[other[0]] - now().of[one[0]]);
    for (const [index, x, y] of order) mark(context, now().values[now().of[index]], x, y, radius);
  }
  for (const index of new Set([kept, pointed])) ring(context, index, size);
}

function mark(context, value, x, y, radius) {
  context.beginPath();
  if (value.mark === "cross") {
    for (const side of [-1, 1]) {
      context.moveTo(x - radius, y - side * radius);
      context.lineTo(x + radius, y + side * radius);
    }
  } else context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = context.strokeStyle = value.color;
  context.lineWidth = 1.5;
  if (value.mark === "dot") context.fill();
  else context.stroke();
}

function ring(context, index, size) {
  const found = drawn.find((one) => one[0] === index);
  if (!found) return;
  context.strokeStyle = getComputedStyle(document.body).color;
  context.lineWidth = 2.5;
  context.beginPath();
  if (pictures) context.rect(found[1] - size / 2, found[2] - size / 2, size, size);
  else context.arc(found[1], found[2], 9, 0, 2 * Math.PI);
  context.stroke();
}

function tell(index) {
  const shown = document.createElement("canvas");
  shown.width = shown.height = content.side * 3;
  picture(shown.getContext("2d"), index, 0, 0, content.side * 3);
  const lines = [content.names.length ? `${content.names[index]}, scan ${content.rows[index]}` : `scan ${content.rows[index]}`];
  for (const one of content.colorings) lines.push(`${one.name}: ${one.values[one.of[index]].name}`);
  panel.replaceChildren(shown, ...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
}

function nearest(event) {
  const [x, y] = placeOn(canvas, event).map((at) => at / window.devicePixelRatio);
  let best = -1, least = pictures ? content.side : NEAR_PX[event.pointerType] ?? NEAR_PX.mouse;
  for (const [index, left, top] of drawn) {
    const away = Math.hypot(left - x, top - y);
    if (away < least) [best, least] = [index, away];
  }
  return best;
}

// Zoom about a place, in shares of the side.
function zoom(factor, x = 0.5, y = 0.5) {
  const before = view.zoom;
  view.zoom = Math.min(60, Math.max(1, before * factor));
  // What lies under the pointer stays there.
  const moved = (1 / before - 1 / view.zoom) / (1 - 2 * MARGIN);
  view.x += (x - 0.5) * moved;
  view.y += (y - 0.5) * moved;
  if (view.zoom === 1) view.x = view.y = 0.5;
  draw();
}

// across, down: in pixels of the canvas.
function move(across, down) {
  const unit = canvas.width * (1 - 2 * MARGIN) * view.zoom;
  view.x -= across / unit;
  view.y -= down / unit;
}

// A drag moves the map; what hardly moves is a click on a scan.
function grasp() {
  const gone = [0, 0];
  let still = true;
  const drag = (across, down) => {
    gone[0] += across;
    gone[1] += down;
    if (still && Math.hypot(...gone) <= STILL_PX * window.devicePixelRatio) return;
    if (still) move(...gone);
    else move(across, down);
    still = false;
    draw();
  };
  const end = (event) => {
    if (!event || !still) return;
    kept = nearest(event);
    if (kept >= 0) tell(kept);
    draw();
  };
  return { drag, end };
}

function fillLegend() {
  legend.replaceChildren(
    ...now().values.map((value, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden[coloring].has(number)));
      button.innerHTML = `<svg width="14" height="14" aria-hidden="true">${SIGNS[value.mark]}</svg>`;
      const sign = button.firstChild.firstChild;
      sign.setAttribute("fill", value.mark === "dot" ? value.color : "none");
      sign.setAttribute("stroke", value.color);
      const name = Object.assign(document.createElement("span"), { textContent: value.name });
      const count = Object.assign(document.createElement("span"), { textContent: value.count.toLocaleString("en"), className: "number" });
      button.append(name, count);
      button.addEventListener("click", () => {
        const off = hidden[coloring];
        off.has(number) ? off.delete(number) : off.add(number);
        button.setAttribute("aria-pressed", String(!off.has(number)));
        draw();
      });
      const line = document.createElement("li");
      line.append(button);
      return line;
    })
  );
}

content.colorings.forEach((one, number) => choice.add(new Option(one.name, number)));
choice.addEventListener("change", () => {
  coloring = Number(choice.value);
  fillLegend();
  draw();
});
switchPictures.addEventListener("click", () => {
  pictures = !pictures;
  switchPictures.setAttribute("aria-pressed", String(pictures));
  switchPictures.textContent = pictures ? "Show dots" : "Show scans";
  draw();
});
document.getElementById("in").addEventListener("click", () => zoom(1.6));
document.getElementById("out").addEventListener("click", () => zoom(1 / 1.6));
document.getElementById("whole").addEventListener("click", () => zoom(0));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), ...placeOn(canvas, event).map((at) => at / canvas.width));
}, { passive: false });
heedDrags(canvas, grasp, (factor, x, y, across, down) => {
  move(across, down);
  zoom(factor, (x + across) / canvas.width, (y + down) / canvas.width);
});
canvas.addEventListener("pointermove", (event) => {
  if (event.buttons) return;
  const found = nearest(event);
  if (found === pointed) return;
  pointed = found;
  if (found >= 0 || kept >= 0) tell(found >= 0 ? found : kept);
  draw();
});
canvas.addEventListener("keydown", (event) => {
  const step = 0.15 / view.zoom;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key === "+" || event.key === "=") zoom(1.6);
  else if (event.key === "-") zoom(1 / 1.6);
  else if (event.key in moves) {
    view.x += moves[event.key][0];
    view.y += moves[event.key][1];
    draw();
  } else return;
  event.preventDefault();
});
window.addEventListener("resize", draw);
sheet.decode().then(draw, draw);
fillLegend();
draw();
