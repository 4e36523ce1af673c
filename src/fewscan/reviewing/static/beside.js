// A copy that is mirrored, turned or inverted, shown as the scan beside it lies.

// lying: { mirrored, turned, inverted }, what made this image of the one beside it. Returns the image without that.
export function undone(image, { mirrored, turned, inverted }) {
  const quarter = turned % 180 !== 0;
  const [rows, columns] = quarter ? [image.columns, image.rows] : [image.rows, image.columns];
  const [width, height] = quarter ? [image.height, image.width] : [image.width, image.height];
  const parts = image.bits === 24 ? 3 : 1;
  const levels = new image.levels.constructor(image.levels.length);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const across = mirrored ? columns - 1 - x : x;
      const [column, row] = { 0: [across, y], 90: [rows - 1 - y, across], 180: [columns - 1 - across, rows - 1 - y], 270: [y, columns - 1 - across] }[turned];
      for (let part = 0; part < parts; part += 1) {
        const level = image.levels[parts * (row * image.columns + column) + part];
        levels[parts * (y * columns + x) + part] = inverted && parts === 3 ? 255 - level : level;
      }
    }
  }
  // Gray levels are inverted by their window.
  const [black, white] = inverted ? [image.white, image.black] : [image.black, image.white];
  return { ...image, rows, columns, width, height, levels, black, white };
}

// The same for a picture's element, which is returned.
export function laid(picture, { mirrored, turned, inverted }) {
  picture.style.transform = `scaleX(${mirrored ? -1 : 1}) rotate(${-turned}deg)`;
  picture.style.filter = `invert(${inverted ? 1 : 0})`;
  return picture;
}

// What stands below it.
export const wordsOf = (lying) => lying.words.length ? `${lying.words.join(", ")}: shown to match the first` : "";
