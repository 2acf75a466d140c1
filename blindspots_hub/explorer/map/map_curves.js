// What leads from the ringed concept to others: curves to its companions, a circle around it, and
// the pictures of concepts where few are in sight.

const CLOSE = 40;         // concepts in sight up to which their pictures are drawn
const PICTURE = 46;       // CSS pixels

// Whether a box covers none of those that are taken.
function free(box, taken) {
  return !taken.some((b) => box.left < b.right && box.right > b.left && box.top < b.bottom && box.bottom > b.top);
}

const ALONG = [0.5, 0.65, 0.8, 0.35];  // where on its curve a weight may stand, the best first

// Curves to the concepts that fire in the same images, as wide as the weight, which stands on them.
function curves(pen, view, scene, taken) {
  if (scene.selected < 0 || !view.placed(scene.selected)) return;
  const from = view.project(scene.selected);
  for (const [other, weight] of scene.companions) {
    if (other === scene.selected || other >= view.count || !view.placed(other)) continue;
    const to = view.project(other);
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]], far = Math.hypot(dx, dy);
    if (far < 6) continue;
    const bend = Math.min(0.22 * far, 70);
    const middle = [(from[0] + to[0]) / 2 - bend * dy / far, (from[1] + to[1]) / 2 + bend * dx / far];
    for (const [extra, ink] of [[2.5, scene.halo], [0, scene.ink]]) {
      pen.beginPath();
      pen.moveTo(...from);
      pen.quadraticCurveTo(...middle, ...to);
      pen.globalAlpha = extra ? 0.6 : 0.35 + 0.5 * weight;
      pen.lineWidth = 0.8 + 3.2 * weight + extra;
      pen.strokeStyle = ink;
      pen.stroke();
    }
    pen.globalAlpha = 1;
    const words = weight.toFixed(2), width = pen.measureText(words).width;
    const point = (t, n) => (1 - t) ** 2 * from[n] + 2 * t * (1 - t) * middle[n] + t ** 2 * to[n];
    for (const t of ALONG) {
      const [x, y] = [point(t, 0) + 3, point(t, 1) + 3];
      const box = { left: x - 2, right: x + width + 2, top: y - 11, bottom: y + 4 };
      if (!free(box, taken)) continue;
      taken.push(box);
      pen.lineWidth = 3;
      pen.strokeStyle = scene.halo;
      pen.strokeText(words, x, y);
      pen.fillStyle = scene.ink;
      pen.fillText(words, x, y);
      break;
    }
  }
}

// The circle whose inside the neighbours are; `around` is percent of the map's width.
function circle(pen, view, scene) {
  if (!scene.around || scene.selected < 0 || !view.placed(scene.selected)) return;
  const [x, y] = view.project(scene.selected);
  pen.beginPath();
  const radius = scene.around / 100 * (view.bounds.right - view.bounds.left) * view.at.scale;
  pen.arc(x, y, Math.max(radius, 0), 0, 6.2832);
  pen.globalAlpha = 0.07;
  pen.fillStyle = scene.ink;
  pen.fill();
  pen.globalAlpha = 1;
  pen.setLineDash([5, 4]);
  pen.lineWidth = 1.3;
  pen.strokeStyle = scene.ink;
  pen.stroke();
  pen.setLineDash([]);
}

// Pictures of concepts in sight where they are few. ask(concepts) resolves to addresses by concept;
// redraw() is called when a picture has come.
function gallery(ask, redraw) {
  let known = new Map(), key = '', waiting = false;

  function seen(view, scene) {
    const found = [];
    if (view.zoom < 2) return found;
    for (let k = scene.order.length - 1; k >= 0; k--) {
      const i = scene.order[k];
      if (scene.bytes[i] === FILTERED) continue;
      const [x, y] = view.project(i);
      if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
      found.push(i);
      if (found.length > CLOSE) return [];
    }
    return found;
  }

  async function fetchAll(missing, asked) {
    waiting = true;
    for (const i of missing) known.set(i, null);
    try {
      const found = await ask(missing);
      if (asked !== key) return;
      for (const [i, address] of Object.entries(found)) {
        const image = new Image();
        image.onload = () => { if (asked === key) redraw(); };
        image.src = address;
        known.set(Number(i), image);
      }
    } catch { /* the map is whole without them */ } finally { waiting = false; }
  }

  return function pictures(pen, view, scene, taken) {
    if (scene.key !== key) { key = scene.key; known = new Map(); }
    const inSight = seen(view, scene), missing = inSight.filter((i) => !known.has(i));
    if (missing.length && !waiting) fetchAll(missing.slice(0, CLOSE), key);
    for (const i of inSight) {
      const image = known.get(i);
      if (!image?.complete || !image.naturalWidth) continue;
      const [x, y] = view.project(i), r = view.radius(scene.sizes[i]) * 1.6 + 3;
      const left = x - PICTURE / 2, top = y - r - PICTURE;
      const box = { left, right: left + PICTURE, top, bottom: top + PICTURE };
      if (top < 2 || !free(box, taken)) continue;
      taken.push(box);
      pen.fillStyle = scene.halo;
      pen.fillRect(left - 1.5, top - 1.5, PICTURE + 3, PICTURE + 3);
      pen.drawImage(image, left, top, PICTURE, PICTURE);
    }
  };
}
