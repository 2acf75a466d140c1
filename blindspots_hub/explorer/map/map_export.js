// The map as a file and on paper. A canvas that WebGL drew is empty once it was shown, so whoever
// wants its content draws it anew and takes it at once.

function mapPicture(points, canvas, above, view, scene, density, theme) {
  points.draw(view, density);
  const sheet = document.createElement('canvas');
  sheet.width = canvas.width;
  sheet.height = canvas.height;
  const pen = sheet.getContext('2d');
  pen.fillStyle = theme.halo;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(canvas, 0, 0);
  pen.drawImage(above, 0, 0);
  return sheet;
}

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }[sign]));

// The points in sight as an SVG drawing, a path a colour, and the names of blindspots.
function mapDrawing(view, scene, table) {
  const paths = new Map(), names = [];
  for (const i of scene.order) {
    const [x, y] = view.project(i), r = view.radius(scene.sizes[i]);
    if (x < -r || y < -r || x > view.width + r || y > view.height + r) continue;
    const byte = scene.bytes[i], shape = shapeOf(byte), f = (v) => v.toFixed(1);
    let path;
    if (shape) {
      const h = 0.62 * TRIANGLE * r, w = 1.732 * h;
      path = `M${f(x - w)} ${f(y + shape * h)}H${f(x + w)}L${f(x)} ${f(y - shape * 2 * h)}Z`;
      if (scene.labels[i]) names.push(`<text x="${f(x + r + 3)}" y="${f(y + 4)}">${escaped(scene.labels[i])}</text>`);
    } else path = `M${f(x - r)} ${f(y)}a${f(r)} ${f(r)} 0 1 0 ${f(2 * r)} 0a${f(r)} ${f(r)} 0 1 0 ${f(-2 * r)} 0`;
    if (!paths.has(byte)) paths.set(byte, []);
    paths.get(byte).push(path);
  }
  const colour = (byte) => `rgb(${[...table.subarray(4 * byte, 4 * byte + 3)]})`;
  const drawn = [...paths].map(([byte, all]) => `<path fill="${colour(byte)}" d="${all.join('')}"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${view.width} ${view.height}" width="${view.width}" height="${view.height}">`
    + `<rect width="100%" height="100%" fill="${scene.halo.trim()}"/>${drawn.join('')}`
    + `<g font-family="sans-serif" font-size="11" fill="${scene.ink}">${names.slice(0, 60).join('')}</g></svg>`;
}

function saveFile(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
