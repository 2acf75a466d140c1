// Suggestions of the server under the box. All text is set as text, never as HTML.
const box = element.querySelector(".search"), input = box.querySelector("input");
const list = box.querySelector("ul");
let hits = [], active = -1, asked = 0, timer = 0;

const close = () => {
  list.hidden = true; active = -1;
  box.setAttribute("aria-expanded", "false");
};

const choose = hit => {
  close();
  input.blur();
  document.dispatchEvent(new CustomEvent("concept", { detail: hit.i }));
  trigger("found", { i: hit.i });
};

const mark = at => {
  active = hits.length ? (at + hits.length) % hits.length : -1;
  [...list.children].slice(0, hits.length).forEach((row, i) => row.setAttribute("aria-selected", i === active));
  list.children[active]?.scrollIntoView({ block: "nearest" });
};

const line = (tag, text, parent) => {
  const node = document.createElement(tag);
  node.textContent = text;
  parent.append(node);
};

const show = found => {
  hits = found.filter(hit => hit.i !== undefined);
  const searched = found.find(hit => hit.searched)?.searched || "";
  list.replaceChildren();
  for (const hit of hits) {
    const row = document.createElement("li");
    row.setAttribute("role", "option");
    if (hit.image) Object.assign(row.appendChild(document.createElement("img")), { src: hit.image, alt: "" });
    else row.append(document.createElement("i"));
    line("b", `#${hit.i}`, row);
    line("span", hit.label, row);
    line("small", hit.reason, row);
    line("em", `${hit.sign} ${hit.state}`, row);
    row.querySelector("em").className = `is-${hit.state}`;
    row.onpointerdown = event => { event.preventDefault(); choose(hit); };
    list.append(row);
  }
  if (!hits.length && !found.some(hit => hit.failed)) line("li", "No concept has this number or name, and no caption these words.", list);
  if (searched) {
    line("li", searched, list);
    list.lastElementChild.className = "searched";
    list.lastElementChild.setAttribute("role", "presentation");
  }
  list.hidden = false;
  box.setAttribute("aria-expanded", "true");
  mark(0);
};

const ask = async () => {
  const text = input.value.trim(), turn = ++asked;
  if (!text) return close();
  let found;
  try { found = await server.suggest([text, props.key_of_model]); } catch {}
  if (!found) found = [{ failed: true, searched: "The search did not arrive: check the connection and type again." }];
  if (turn === asked && document.activeElement === input) show(found);
};

input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 80); });
input.addEventListener("focus", () => { if (input.value.trim()) ask(); });
input.addEventListener("blur", close);
input.addEventListener("keydown", async event => {
  if (event.key === "ArrowDown") mark(active + 1);
  else if (event.key === "ArrowUp") mark(active - 1);
  else if (event.key === "Escape") { event.stopPropagation(); close(); input.blur(); return; }
  else if (event.key === "Enter") {
    clearTimeout(timer);
    if (list.hidden || !hits.length) await ask();
    if (hits[Math.max(active, 0)]) choose(hits[Math.max(active, 0)]);
  } else return;
  event.preventDefault();
});
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  if (!input.offsetParent) return;
  event.preventDefault();
  input.focus();
  input.select();
});
