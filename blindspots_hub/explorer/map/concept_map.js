// The concept map itself: ties the view, the drawing, the names, the tooltip and the input to
// Gradio's properties and events. Runs once, as the body of `js_on_load`.

const stage = element.querySelector('.stage');
const canvas = stage.querySelector('.points'), above = stage.querySelector('.overlay');
const part = (name) => stage.querySelector(`.${name}`);
function unpack(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
const ADDRESSED = ['map_places', 'map_colours'];
const still = matchMedia('(prefers-reduced-motion: reduce)');

const points = webglPoints(canvas) || flatPoints(canvas);
const drawOver = overlay(above, gallery((concepts) => call('map_pictures', [concepts, scene.key]), draw));
const tip = tooltip(stage, (i) => call('map_hover', [i, scene.key]));
const scene = {
  bytes: new Uint8Array(0), order: new Uint32Array(0), sizes: new Uint8Array(0), labels: [], key: '',
  selected: -1, cursor: -1, hovered: -1, region: null, lasso: null, blocked: [], ink: '', halo: '',
  companions: [], around: 0, clusters: [],
};
let table = null;           // colours of the theme: fill and outline of every byte
let ownSizes = null;        // sizes that came with the points
let view = null;            // null until the first points are there
let density = 1;            // device pixels a CSS pixel
let loaded = '';            // the data key that is drawn
let named = '';             // the data and names keys whose names are there, or coming
let turn = 0;               // the last `selected` property that was followed
let looks = 0;              // how often the points' colours, sizes or places changed
let colours = new Uint8Array(0), states = new Uint8Array(0);
const coloursOf = new Map();

// ---- what the server answers -------------------------------------------------------------------

async function call(name, argument) {
  const addressed = props.addressed && ADDRESSED.includes(name);
  const answer = await (addressed ? askAt(`${name}?key=${encodeURIComponent(argument)}`) : server[name](argument));
  if (!answer || typeof answer !== 'object') throw Error('The map’s data did not arrive: check the connection and try again.');
  if (answer.error) throw Error(answer.error);
  return answer;
}

// The page's first answer asks for some addresses before any script is there: `ahead` has them.
async function askAt(address) {
  const came = await window.ahead?.[address];
  delete window.ahead?.[address];
  return came ?? (await fetch(address)).json();
}

async function fetchColours(key) {
  if (!coloursOf.has(key)) {
    coloursOf.set(key, unpack((await call('map_colours', key)).bytes));
    if (coloursOf.size > 24) coloursOf.delete(coloursOf.keys().next().value);
  }
  return coloursOf.get(key);
}

let asked = 0, filtered = '';

// Brings the map to the properties as they are now; an answer that was overtaken is dropped.
async function refresh() {
  const { data_key: data, colour_key: key } = props, mine = ++asked;
  if (!data || !key) return;
  try {
    const fresh = data !== loaded, other = fresh || key !== scene.key;
    const show = JSON.stringify([props.show, props.unjudged]);
    if (other) {
      const [got, bytes] = await Promise.all([fresh ? call('map_places', data) : null, fetchColours(key)]);
      if (mine !== asked) return;
      const count = fresh ? unpack(got.size).length : view.count;
      if (![1, 2, 3].includes(bytes.length / count)) {
        throw Error(`The colours are of ${bytes.length} concepts, the map of ${count}: reload the page.`);
      }
      if (fresh) take(data, new Int32Array(unpack(got.xy).buffer), unpack(got.size));
      colours = bytes.subarray(0, count);
      states = bytes.subarray(count, 2 * count);
      scene.sizes = bytes.length > 2 * count ? bytes.subarray(2 * count) : ownSizes;
      points.sizes(scene.sizes);
      looks++;
      scene.key = key;
    }
    part('fault').hidden = true;
    part('loading').dataset.done = '';
    if (other || show !== filtered) filter();
    filtered = show;
    follow();
    if (!drawn) paint();  // the page is still busy putting itself together: no frame is near
    if (named !== `${data} ${props.names_key}`) takeLabels(data);
  } catch (error) {
    if (mine === asked) fault(error);
  }
}

function take(data, xy, sizes) {
  tip.hide();
  ring(-1);
  loaded = data;
  view = new View(xy);
  ownSizes = sizes;
  Object.assign(scene, { sizes, labels: [], clusters: [], cursor: -1, hovered: -1, region: null });
  points.points(xy, sizes);
  looks++;
  resize();
}

// Names come after the first picture: nobody waits for them.
async function takeLabels(data) {
  try {
    named = `${data} ${props.names_key}`;
    const { labels, clusters } = await call('map_labels', data);
    if (data === loaded) Object.assign(scene, { labels, clusters: clusters || [] });
    draw();
  } catch (error) {
    if (data !== loaded) return;
    named = '';
    fault(error);
  }
}

function fault(error) {
  part('fault').querySelector('p').textContent = error.message;
  part('fault').hidden = false;
}

// ---- drawing -----------------------------------------------------------------------------------

let queued = false, recoloured = false, drawn = '';

// Points and what lies over them. A canvas keeps its points until they are others or elsewhere: what
// a pointer or a click changes lies above, and thousands of points are not drawn again for it.
function draw() {
  if (queued || !view) return;
  queued = true;
  requestAnimationFrame(paint);
}

function paint() {
  queued = false;
  if (!view.width) return;
  const { scale, x, y } = view.at, now = [scale, x, y, canvas.width, canvas.height, looks].join();
  if (now !== drawn) points.draw(view, density);
  drawn = now;
  drawOver(view, scene, density);
  if (tip.concept >= 0) tip.place(view, view.radius(scene.sizes[tip.concept]));
  canvas.dataset.ready = points.kind;
  if (recoloured) canvas.dataset.painted = 1 + Number(canvas.dataset.painted || 0);
  recoloured = false;
}

function filter() {
  const keep = props.show && states.length ? new Set(props.show) : null;
  const fades = (i) => (keep && !keep.has(states[i])) || !mayMeet(i);
  scene.bytes = colours.map((byte, i) => (fades(i) ? FILTERED : byte));
  scene.order = drawingOrder(scene.bytes).filter((i) => view.placed(i));
  points.colour(scene.bytes, scene.order);
  looks++;
  const shown = scene.order.reduce((sum, i) => sum + isShown(i), 0), all = view.shown.toLocaleString('en');
  const some = `${shown.toLocaleString('en')} of ${all} concepts`;
  part('count').textContent = keep ? (shown ? some : `none of ${all} concepts is in this state`)
    : shown < view.shown ? `${some} are judged` : `${all} concepts`;
  recoloured = true;
  draw();
}

const isShown = (i) => scene.bytes[i] !== FILTERED;
// Concepts without a judgement stay out of reach unless they are asked for.
const mayMeet = (i) => props.unjudged || colours[i] !== UNKNOWN;

function resize() {
  density = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!view || !width || !height) return;
  for (const each of [canvas, above]) {
    each.width = Math.round(width * density);
    each.height = Math.round(height * density);
  }
  const box = stage.getBoundingClientRect();
  scene.blocked = ['count', 'zoom'].map((name) => {
    const { left, right, top, bottom } = part(name).getBoundingClientRect();
    return { left: left - box.left, right: right - box.left, top: top - box.top, bottom: bottom - box.top };
  });
  view.resize(width, height);
  draw();
}

function theme() {
  const name = document.body.classList.contains('dark') ? 'dark' : 'light';
  table = unpack(PALETTES[name]);
  points.theme(table);
  looks++;
  scene.ink = name === 'dark' ? '#f4f4f6' : '#1d1d24';
  scene.halo = getComputedStyle(part('loading').parentElement.parentElement).getPropertyValue('--delta-background');
  draw();
}

// ---- moving ------------------------------------------------------------------------------------

let flight = 0;

function look(to, glide = false) {
  if (!to || !view) return;
  cancelAnimationFrame(flight);
  if (!glide || still.matches) { view.at = to; draw(); return; }
  const from = view.at, start = performance.now();
  const step = (now) => {
    const t = clamp((now - start) / 200, 0, 1), f = 1 - (1 - t) ** 3;
    const scale = from.scale * (to.scale / from.scale) ** f;
    const share = to.scale === from.scale ? f : (scale - from.scale) / (to.scale - from.scale);
    view.at = { scale, x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
    if (t < 1) flight = requestAnimationFrame(step); else view.at = to;
    draw();
  };
  flight = requestAnimationFrame(step);
}

// ---- choosing ----------------------------------------------------------------------------------

function pick(x, y, reach) {
  const shown = view.pick(x, y, reach, isShown);
  return shown >= 0 ? shown : view.pick(x, y, reach, mayMeet);
}

function ring(i) {
  if (i === scene.selected) return;
  scene.selected = i;
  if (props.link) {
    const address = new URL(location);
    if (i < 0) address.searchParams.delete(props.link); else address.searchParams.set(props.link, i);
    history.replaceState(history.state, '', address);
  }
  draw();
}

function open(i) {
  scene.cursor = i;
  ring(i);
  document.dispatchEvent(new CustomEvent('concept', { detail: i }));
  trigger('point', { i });
}

// A concept that was opened elsewhere on the page is rung and brought into view; -1: it was closed.
document.addEventListener('concept', ({ detail: i }) => {
  if (!view || i === scene.selected || !(i < view.count)) return;
  scene.cursor = i;
  ring(i);
  if (i >= 0 && view.placed(i)) look(view.showing(i), true);
});
document.addEventListener('companions', ({ detail }) => { props.companions = detail; });

// Follows a `selected` property that is newer than the last one followed.
function follow() {
  const [concept, at] = props.selected;
  if (!view || at === turn) return;
  turn = at;
  if (concept >= view.count || (at < 0 && concept === scene.selected)) return;
  scene.cursor = concept;
  ring(concept);
  if (concept >= 0 && view.placed(concept)) look(view.showing(concept), true);
}

function point(i) {
  if (i !== scene.hovered) { scene.hovered = i; draw(); }
  tip.show(i, scene.labels[i], scene.key, () => tip.place(view, view.radius(scene.sizes[i])));
}

function unpoint() {
  tip.hide();
  if (scene.hovered >= 0) { scene.hovered = -1; draw(); }
}

listen(canvas, () => view, {
  look(to, glide) { look(to, glide); },
  all() { look({ ...view.home }, true); },
  hover(x, y, reach) {
    const i = pick(x, y, reach);
    if (i < 0) unpoint(); else point(i);
    return i >= 0;
  },
  leave() { unpoint(); },
  inside(entered) { if (entered) hint(''); },
  scrolledPast() { hint(`${/Mac/.test(navigator.platform) ? '⌘' : 'ctrl'} + scroll to zoom, or click the map first`); },
  click(x, y, reach) { const i = pick(x, y, reach); if (i >= 0) open(i); },
  lasso(polygon) { scene.lasso = polygon; draw(); },
  region(polygon) {
    scene.region = polygon.map((place) => view.toMap(place));
    const inside = new Set(view.inside(scene.region, isShown));
    const ids = [];
    for (let k = scene.order.length - 1; k >= 0 && ids.length < REGION_LIMIT; k--) {
      if (inside.has(scene.order[k])) ids.push(scene.order[k]);
    }
    draw();
    trigger('region', { ids, total: inside.size });
  },
  async walk(direction) {
    const from = scene.cursor >= 0 ? view.project(scene.cursor) : [view.width / 2, view.height / 2];
    const next = scene.cursor < 0 ? view.pick(...from, Infinity, isShown)
      : view.neighbour(...from, direction, isShown, scene.cursor);
    if (next < 0) return;
    scene.cursor = next;
    look(view.showing(next) || view.at, true);
    draw();
    point(next);
    part('spoken').textContent = `Concept ${next}${scene.labels[next] ? `, ${scene.labels[next]}` : ''}`;
  },
  enter() { if (scene.cursor >= 0) open(scene.cursor); },
  close() {
    unpoint();
    Object.assign(scene, { cursor: -1, region: null });
    ring(-1);
    document.dispatchEvent(new CustomEvent('concept', { detail: -1 }));
    trigger('close', {});
  },
});

part('zoom').addEventListener('click', (event) => {
  const how = event.target.closest('button')?.dataset.zoom, middle = view && [view.width / 2, view.height / 2];
  if (!how || !view) return;
  look(how === 'all' ? { ...view.home } : view.zoomed(...middle, how === 'in' ? 1.6 : 1 / 1.6), true);
});
part('fault').querySelector('button').addEventListener('click', () => {
  part('fault').hidden = true;
  if (!view) delete part('loading').dataset.done;
  refresh();
});

let fading = 0;

function hint(words) {
  const box = part('hint');
  clearTimeout(fading);
  if (!words) { delete box.dataset.shown; return; }
  box.textContent = words;
  box.dataset.shown = '';
  fading = setTimeout(() => { delete box.dataset.shown; }, 1400);
}

element.querySelector('.files').addEventListener('click', (event) => {
  const kind = event.target.closest('button')?.dataset.file;
  if (!kind || !view) return;
  if (kind === 'svg') saveFile(new Blob([mapDrawing(view, scene, table)], { type: 'image/svg+xml' }), 'concept-map.svg');
  else picture().toBlob((blob) => saveFile(blob, 'concept-map.png'));
});

const picture = () => mapPicture(points, canvas, above, view, scene, density, scene);

addEventListener('beforeprint', () => { if (view?.width) part('paper').src = picture().toDataURL(); });
addEventListener('afterprint', () => part('paper').removeAttribute('src'));

// ---- the page around the map -------------------------------------------------------------------

canvas.addEventListener('webglcontextlost', (event) => event.preventDefault());
canvas.addEventListener('webglcontextrestored', () => { points.rebuild(); looks++; draw(); });
new ResizeObserver(resize).observe(canvas);
new MutationObserver(theme).observe(document.body, { attributes: true, attributeFilter: ['class'] });
(function onDensity() {
  matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`).addEventListener('change', () => { resize(); onDensity(); }, { once: true });
})();

function lead() {
  Object.assign(scene, { companions: props.companions || [], around: props.around || 0 });
  draw();
}

watch(['data_key', 'names_key', 'colour_key', 'show', 'selected', 'unjudged'], refresh);
watch(['companions', 'around'], lead);
// Where concept i stands, in CSS pixels of the canvas; null where it has no place.
canvas.shown = () => [...scene.order].filter((i) => isShown(i));
canvas.project = (i) => (view.placed(i) ? view.project(i) : null);
theme();
lead();
refresh();
