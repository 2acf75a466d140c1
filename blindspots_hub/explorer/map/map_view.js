// The view: where every concept stands on the screen, which ones are in sight, which one is meant.
// Screen coordinates are CSS pixels from the canvas's top left corner, y downwards.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

class View {
  // xy: Int32Array of x, y pairs, y upwards; NOWHERE twice is a concept that is not on the map.
  constructor(xy) {
    this.xy = xy;
    this.count = xy.length / 2;
    this.width = this.height = 0;
    this.shown = 0;  // concepts that are on the map
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < this.count; i++) {
      if (!this.placed(i)) continue;
      this.shown++;
      left = Math.min(left, xy[2 * i]); right = Math.max(right, xy[2 * i]);
      low = Math.min(low, xy[2 * i + 1]); high = Math.max(high, xy[2 * i + 1]);
    }
    this.bounds = this.shown ? { left, right, low, high } : { left: 0, right: 1, low: 0, high: 1 };
    this.at = { scale: 1, x: 0, y: 0 };
    this.home = this.at;
  }

  // A new size keeps the centre and what is in sight; a view that shows all goes on showing all.
  resize(width, height) {
    const first = !this.width, atHome = this.isHome(), before = this.at, was = this.home;
    const centre = [(this.width / 2 - before.x) / before.scale, (before.y - this.height / 2) / before.scale];
    this.width = width; this.height = height;
    const { left, right, low, high } = this.bounds;
    const margin = clamp(0.05 * Math.min(width, height), 14, 36);
    const top = width < 560 ? 40 : 0;  // on a phone the buttons have a strip to themselves
    const scale = Math.min(Math.max(width - 2 * margin, 1) / Math.max(right - left, 1),
                           Math.max(height - top - 2 * margin, 1) / Math.max(high - low, 1));
    this.home = { scale, x: width / 2 - scale * (left + right) / 2, y: (height + top) / 2 + scale * (low + high) / 2 };
    if (first || atHome) { this.at = { ...this.home }; return; }
    const kept = before.scale * scale / was.scale;
    this.at = { scale: kept, x: width / 2 - kept * centre[0], y: height / 2 + kept * centre[1] };
  }

  placed(i) { return this.xy[2 * i] !== NOWHERE || this.xy[2 * i + 1] !== NOWHERE; }

  isHome() {
    return Math.abs(this.at.scale - this.home.scale) < 1e-9
      && Math.hypot(this.at.x - this.home.x, this.at.y - this.home.y) < 0.5;
  }

  get zoom() { return this.at.scale / this.home.scale; }

  project(i) {
    return [this.xy[2 * i] * this.at.scale + this.at.x, this.at.y - this.xy[2 * i + 1] * this.at.scale];
  }

  zoomed(x, y, factor) {
    const scale = clamp(this.at.scale * factor, 0.6 * this.home.scale, 300 * this.home.scale);
    const f = scale / this.at.scale;
    return this.bounded({ scale, x: x - (x - this.at.x) * f, y: y - (y - this.at.y) * f });
  }

  moved(dx, dy) { return this.bounded({ scale: this.at.scale, x: this.at.x + dx, y: this.at.y + dy }); }

  // The view with concept i at its centre, or null where i is well in sight already.
  showing(i) {
    const [x, y] = this.project(i), edge = Math.min(36, this.width / 8, this.height / 8);
    if (x > edge && y > edge && x < this.width - edge && y < this.height - edge) return null;
    return { scale: this.at.scale, x: this.at.x + this.width / 2 - x, y: this.at.y + this.height / 2 - y };
  }

  // Some of the map always stays in sight, so that nobody loses it.
  bounded({ scale, x, y }) {
    const { left, right, low, high } = this.bounds, keep = 60;
    return {
      scale,
      x: clamp(x, keep - right * scale, this.width - keep - left * scale),
      y: clamp(y, keep + low * scale, this.height - keep + high * scale),
    };
  }

  // Radius of a point in CSS pixels: by how often it fires, and growing slowly with zoom.
  radius(size, base = this.base) { return base * (0.55 + 1.05 * size / 255); }

  get base() {
    const room = Math.sqrt(this.width * this.height / Math.max(1, this.shown));
    return clamp(clamp(0.17 * room, 1.35, 4) * Math.pow(this.zoom, 0.42), 1.2, 9);
  }

  // The concept whose centre is nearest to (x, y) within reach, among those that `may` be meant.
  pick(x, y, reach, may) {
    let best = -1, nearest = reach * reach;
    for (let i = 0; i < this.count; i++) {
      const dx = this.xy[2 * i] * this.at.scale + this.at.x - x;
      const dy = this.at.y - this.xy[2 * i + 1] * this.at.scale - y;
      const distance = dx * dx + dy * dy;
      if (distance < nearest && may(i) && this.placed(i)) { nearest = distance; best = i; }
    }
    return best;
  }

  // The next concept from (x, y) in a direction: nearest within 45° of it, straight ones first.
  neighbour(x, y, [dx, dy], may, except) {
    let best = -1, least = Infinity;
    for (let i = 0; i < this.count; i++) {
      const px = this.xy[2 * i] * this.at.scale + this.at.x - x;
      const py = this.at.y - this.xy[2 * i + 1] * this.at.scale - y;
      const along = px * dx + py * dy, across = Math.abs(px * dy - py * dx);
      if (i === except || along <= 0 || across > along) continue;
      const cost = along + 2 * across;
      if (cost < least && may(i) && this.placed(i)) { least = cost; best = i; }
    }
    return best;
  }

  // The concepts inside a polygon of map coordinates [[x, y], …] (even-odd rule).
  inside(polygon, may) {
    const found = [];
    for (let i = 0; i < this.count; i++) {
      const x = this.xy[2 * i], y = this.xy[2 * i + 1];
      let odd = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        const [ax, ay] = polygon[a], [bx, by] = polygon[b];
        if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
      }
      if (odd && may(i) && this.placed(i)) found.push(i);
    }
    return found;
  }

  toMap([x, y]) { return [(x - this.at.x) / this.at.scale, (this.at.y - y) / this.at.scale]; }
  toScreen([x, y]) { return [x * this.at.scale + this.at.x, this.at.y - y * this.at.scale]; }
}
