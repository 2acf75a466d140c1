// δ of one model against δ of another: a point a concept, on a canvas; a click opens the nearest.
const canvas = element.querySelector("canvas"), tip = element.querySelector(".tip");
const spoken = element.querySelector("[role=status]");
const stops_of = JSON.parse(element.querySelector(".scatter").dataset.stops);
const PAD = { left: 52, right: 12, top: 10, bottom: 42 };
let points = [], chosen = -1, asking = 0;

const style = name => getComputedStyle(element).getPropertyValue(name).trim();
const scale = () => {
  const box = canvas.getBoundingClientRect();
  const w = box.width - PAD.left - PAD.right, h = box.height - PAD.top - PAD.bottom;
  return { x: v => PAD.left + v * w, y: v => PAD.top + (1 - v) * h, box };
};

const colour = (v, stops) => {
  for (let i = 1; i < stops.length; i++) {
    const [b, to] = stops[i], [a, from] = stops[i - 1];
    if (v > b && i < stops.length - 1) continue;
    const t = Math.min(Math.max((v - a) / (b - a), 0), 1);
    return `rgb(${from.map((c, k) => Math.round(c + t * (to[k] - c)))})`;
  }
};

function draw() {
  const { x, y, box } = scale();
  if (!box.width) return;
  const ratio = devicePixelRatio || 1, g = canvas.getContext("2d");
  canvas.width = box.width * ratio; canvas.height = box.height * ratio;
  g.scale(ratio, ratio);
  const text = style("--body-text-color-subdued"), line = style("--border-color-primary");
  const dark = document.body.classList.contains("dark"), stops = stops_of[dark ? "dark" : "light"];
  g.font = "12px " + getComputedStyle(element).fontFamily;
  g.fillStyle = text; g.strokeStyle = line; g.lineWidth = 1;
  for (const v of [0, .1, .5, .9, 1]) {
    g.beginPath(); g.moveTo(x(v), y(0)); g.lineTo(x(v), y(1)); g.moveTo(x(0), y(v)); g.lineTo(x(1), y(v)); g.stroke();
    g.textAlign = "center"; g.fillText(String(v), x(v), y(0) + 16);
    g.textAlign = "right"; g.fillText(String(v), x(0) - 7, y(v) + 4);
  }
  g.textAlign = "center";
  const [across = "", up = ""] = props.titles ?? [];  // they come with the first answer
  const fitted = (words, room) => {
    let shown = words;
    while (shown && g.measureText(shown === words ? shown : `${shown}…`).width > room) shown = shown.slice(0, -1);
    return shown === words ? words : `${shown.trimEnd()}…`;
  };
  g.fillText(fitted(across, x(1) - x(0)), (x(0) + x(1)) / 2, y(0) + 34);
  g.save(); g.translate(12, (y(0) + y(1)) / 2); g.rotate(-Math.PI / 2);
  g.fillText(fitted(up, y(0) - y(1)), 0, 2); g.restore();
  g.strokeStyle = text; g.setLineDash([4, 4]);
  g.beginPath(); g.moveTo(x(0), y(0)); g.lineTo(x(1), y(1)); g.stroke(); g.setLineDash([]);
  const size = points.length > 4000 ? 2.2 : 4.5;
  for (const [, a, b] of points) {
    g.fillStyle = colour((a + b) / 2, stops);
    g.beginPath(); g.arc(x(a), y(b), size, 0, 7); g.fill();
    if (!dark && size > 3) { g.strokeStyle = "rgba(0,0,0,.35)"; g.stroke(); }
  }
  const mark = points.find(([k]) => k === chosen);
  if (mark) { g.strokeStyle = style("--body-text-color"); g.lineWidth = 2; g.beginPath(); g.arc(x(mark[1]), y(mark[2]), size + 4, 0, 7); g.stroke(); }
  canvas.dataset.drawn = points.length;
}

const fail = words => {
  tip.textContent = spoken.textContent = words;
  tip.hidden = false;
  tip.style.left = tip.style.top = "12px";
};

async function load() {
  const key = props.asked;
  points = []; chosen = -1; tip.hidden = true;
  asking++;  // a name that is on its way is of a point that is gone
  if (key) {
    let answer;
    try { answer = await server.points_of(key); } catch {}
    if (key !== props.asked) return;
    answer ??= { error: "The points did not arrive: choose the models again." };
    if (answer.error) fail(answer.error);
    const raw = Uint8Array.from(atob(answer.data || ""), c => c.charCodeAt(0));
    const view = new DataView(raw.buffer);
    for (let at = 0; at + 8 <= raw.length; at += 8) {
      points.push([view.getUint32(at, true), view.getUint16(at + 4, true) / 65535, view.getUint16(at + 6, true) / 65535]);
    }
  }
  draw();
}

const nearest = (px, py) => {
  const { x, y } = scale();
  let best = null, least = 20 * 20;
  for (const point of points) {
    const d = (x(point[1]) - px) ** 2 + (y(point[2]) - py) ** 2;
    if (d < least) { least = d; best = point; }
  }
  return best;
};

// `aloud`: a visitor who walks by keys hears where they are.
async function show(point, aloud = false) {
  if (!point) { tip.hidden = true; chosen = -1; draw(); return; }
  if (chosen === point[0] && !tip.hidden) return;
  chosen = point[0]; draw();
  const turn = ++asking;
  let answer;
  try { answer = await server.name_of([props.asked, point[0]]); } catch {}
  if (turn !== asking) return;
  answer ??= { error: "The concept’s name did not arrive: check the connection." };
  if (answer.error) return fail(answer.error);
  const { x, y, box } = scale();
  tip.textContent = answer.said;
  if (aloud) spoken.textContent = answer.said;
  tip.hidden = false;
  tip.style.left = Math.min(Math.max(x(point[1]) - tip.offsetWidth / 2, 0), box.width - tip.offsetWidth) + "px";
  tip.style.top = (y(point[2]) > 60 ? y(point[2]) - tip.offsetHeight - 10 : y(point[2]) + 14) + "px";
}

const place = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
canvas.addEventListener("pointermove", event => show(nearest(...place(event))));
canvas.addEventListener("pointerleave", () => show(null));
canvas.addEventListener("click", event => { const point = nearest(...place(event)); if (point) trigger("open", { i: point[0] }); });
canvas.addEventListener("keydown", event => {
  const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (event.key === "Enter" && chosen >= 0) { trigger("open", { i: chosen }); return; }
  if (!steps || !points.length) return;
  event.preventDefault();
  const from = points.find(([k]) => k === chosen);
  if (!from) { show(points[0], true); return; }
  let best = null, least = Infinity;
  for (const point of points) {
    const dx = point[1] - from[1], dy = point[2] - from[2], along = dx * steps[0] + dy * steps[1];
    if (along <= 1e-6) continue;
    const cost = Math.hypot(dx, dy) + 3 * Math.abs(dx * steps[1] + dy * steps[0]);
    if (cost < least) { least = cost; best = point; }
  }
  if (best) show(best, true);
});
new ResizeObserver(draw).observe(canvas);
new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("asked", load);
load();
