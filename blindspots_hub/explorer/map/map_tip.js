// The tooltip: stands beside its concept, never under the pointer, and asks the server once.

const PATIENCE = 70, REMEMBERED = 500;

// ask(i) resolves to the concept's words; stage is the element the tooltip is placed in.
function tooltip(stage, ask) {
  const box = stage.querySelector('.tip'), image = box.querySelector('.tip-image');
  const part = (name) => box.querySelector(`.tip-${name}`);
  const known = new Map();
  let shown = -1, timer = 0;

  // Only pictures that are in the answer or on this server: nothing may call elsewhere.
  function ours(source) {
    if (typeof source !== 'string' || !source) return false;
    return /^data:image\/(webp|png|jpeg);/.test(source) || new URL(source, location.href).origin === location.origin;
  }

  function fill(words) {
    for (const name of ['value', 'state', 'caption']) part(name).textContent = words[name] || '';
    image.hidden = !ours(words.image);
    if (!image.hidden) image.src = words.image;
  }

  function place(view, radius) {
    if (shown < 0) return;
    const [x, y] = view.project(shown), gap = radius + 12;
    const { offsetWidth: w, offsetHeight: h } = box;
    const left = x + gap + w < view.width ? x + gap : x - gap - w;
    box.style.transform = `translate(${Math.round(clamp(left, 4, Math.max(4, view.width - w - 4)))}px,`
      + `${Math.round(clamp(y - h / 2, 4, Math.max(4, view.height - h - 4)))}px)`;
  }

  function hide() {
    clearTimeout(timer);
    shown = -1;
    box.hidden = true;
  }

  // Shows concept i at once with its name, and the rest as soon as it is known.
  function show(i, label, key, moved) {
    if (i === shown && box.dataset.key === key) return;
    clearTimeout(timer);
    shown = i;
    box.dataset.key = key;
    part('name').textContent = label ? `#${i}  ${label}` : `#${i}`;
    const name = `${key} ${i}`;
    fill(known.get(name) || {});
    box.hidden = false;
    moved();
    if (known.has(name)) return;
    timer = setTimeout(async () => {
      let words;
      try {
        words = await ask(i);
        known.set(name, words);
        if (known.size > REMEMBERED) known.delete(known.keys().next().value);
      } catch (error) {
        words = { state: error.message };
      }
      if (shown !== i || box.dataset.key !== key) return;
      fill(words);
      if (words.label) part('name').textContent = `#${i}  ${words.label}`;
      moved();
    }, PATIENCE);
  }

  return { show, hide, place, get concept() { return shown; } };
}
