// What lies over the points and changes with every move: names, rings and the selection's outline.

const NAMES_AT_REST = 14, ROOM_OF_A_NAME = 11000, LOOKED_AT = 6000;

// gallery draws pictures of concepts where few are in sight (see map_curves.js).
function overlay(canvas, pictures) {
  const pen = canvas.getContext('2d');
  const font = `500 11.5px ${getComputedStyle(canvas.parentElement).fontFamily}`;
  const widths = new Map();

  function widthOf(text) {
    if (!widths.has(text)) widths.set(text, pen.measureText(text).width);
    return widths.get(text);
  }

  function write(text, x, y, ink, halo) {
    pen.lineWidth = 3.5;
    pen.lineJoin = 'round';
    pen.strokeStyle = halo;
    pen.strokeText(text, x, y);
    pen.fillStyle = ink;
    pen.fillText(text, x, y);
  }

  function ring(x, y, r, ink, halo, thick) {
    for (const [width, style] of [[thick + 3, halo], [thick, ink]]) {
      pen.lineWidth = width;
      pen.strokeStyle = style;
      pen.beginPath();
      pen.arc(x, y, r, 0, 6.2832);
      pen.stroke();
    }
  }

  // Names, the most telling concepts first, each only where it covers no other name. At rest only
  // blindspots are named, and no name twice; closer in, every concept there is room for.
  function names(view, scene, taken) {
    const close = view.zoom > 3, said = new Set();
    const most = Math.min(view.width * view.height / ROOM_OF_A_NAME, close ? Infinity : NAMES_AT_REST);
    let written = 0, looked = 0;
    for (let k = scene.order.length - 1; k >= 0 && written < most && looked < LOOKED_AT; k--) {
      const i = scene.order[k], byte = scene.bytes[i];
      if (byte > LEVELS || (!close && !shapeOf(byte))) break;
      looked++;
      const text = scene.labels[i];
      if (!text || i === scene.selected || (!close && said.has(text))) continue;
      const [x, y] = view.project(i);
      if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
      const place = room(text, x, y, view.radius(scene.sizes[i]), view, taken);
      if (!place) continue;
      taken.push(place);
      said.add(text);
      write(text, place.left + 3, y + 4, scene.ink, scene.halo);
      written++;
    }
  }

  // Names of parts of the map while much of it is in sight, the largest part first.
  function parts(view, scene, taken) {
    if (view.zoom > 6) return;
    pen.font = font.replace('500 11.5px', '600 13px');
    pen.globalAlpha = clamp(1.1 - view.zoom / 6, 0.3, 0.62);
    let written = 0;
    for (const [mx, my, name] of scene.clusters) {
      if (written >= (view.width < 560 ? 6 : 16)) break;
      const [x, y] = view.toScreen([mx, my]), width = pen.measureText(name).width + 8;
      const box = { left: x - width / 2, right: x + width / 2, top: y - 10, bottom: y + 10 };
      if (box.left < 2 || box.right > view.width - 2 || box.top < 2 || box.bottom > view.height - 2) continue;
      if (!free(box, taken)) continue;
      taken.push(box);
      write(name, box.left + 4, y + 5, scene.ink, scene.halo);
      written++;
    }
    pen.globalAlpha = 1;
    pen.font = font;
  }

  // Where the name of a point at (x, y) may stand: right of it, else left, else nowhere (null).
  function room(text, x, y, r, view, taken) {
    const width = widthOf(text) + 6;
    for (const left of [x + 1.4 * r + 1, x - 1.4 * r - 1 - width]) {
      const box = { left, right: left + width, top: y - 9, bottom: y + 9 };
      if (box.left < 2 || box.right > view.width - 2 || box.top < 2 || box.bottom > view.height - 2) continue;
      if (free(box, taken)) return box;
    }
    return null;
  }

  function outline(polygon, closed, scene) {
    if (polygon.length < 2) return;
    pen.beginPath();
    polygon.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (closed) pen.closePath();
    pen.globalAlpha = 0.09;
    pen.fillStyle = scene.ink;
    pen.fill();
    pen.globalAlpha = 1;
    pen.setLineDash([5, 4]);
    pen.lineWidth = 1.5;
    pen.strokeStyle = scene.ink;
    pen.stroke();
    pen.setLineDash([]);
  }

  // scene: bytes, order, sizes, labels, selected, cursor, hovered (concepts or -1), region (map coordinates
  // or null), companions ([concept, weight]), around (percent), clusters ([x, y, name]), lasso (screen coordinates or null), blocked (boxes no name may cover), ink, halo.
  return function draw(view, scene, density) {
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    pen.font = font;
    if (scene.region) outline(scene.region.map((place) => view.toScreen(place)), true, scene);
    if (scene.lasso) outline(scene.lasso, false, scene);
    const marked = [...new Set([scene.hovered, scene.cursor, scene.selected])].filter((i) => i >= 0 && view.placed(i));
    const taken = [...scene.blocked];
    for (const i of marked) {
      const [x, y] = view.project(i);
      taken.push({ left: x - 16, right: x + 16, top: y - 16, bottom: y + 16 });
    }
    const place = marked.includes(scene.selected) && scene.labels[scene.selected]
      && room(scene.labels[scene.selected], ...view.project(scene.selected), 9, view, scene.blocked);
    if (place) taken.push(place);
    circle(pen, view, scene);
    curves(pen, view, scene, taken);
    pictures(pen, view, scene, taken);
    parts(view, scene, taken);
    names(view, scene, taken);
    for (const i of marked) {
      const [x, y] = view.project(i);
      ring(x, y, Math.max(8, 1.5 * view.radius(scene.sizes[i]) + 4), scene.ink, scene.halo, i === scene.selected ? 2.4 : 1.4);
    }
    if (place) write(scene.labels[scene.selected], place.left + 3, (place.top + place.bottom) / 2 + 4, scene.ink, scene.halo);
  };
}
