// Suggestions of the server under the box. All text is set as text, never as HTML.
const box = element.querySelector(".search"), input = box.querySelector("input");
const list = box.querySelector("ul"), told = box.querySelector("[role=status]");
let hits = [], of = "", active = -1, asked = 0, timer = 0;

// What is searched now; `of` is what the hits were found by, which may be a former text.
const wanted = () => JSON.stringify([input.value.trim(), props.colour_key]);

const close = () => {
  list.hidden = true; active = -1;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
  told.textContent = "";
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
  if (active < 0) return input.removeAttribute("aria-activedescendant");
  list.children[active].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", list.children[active].id);
};

const line = (tag, text, parent) => {
  const node = document.createElement(tag);
  node.textContent = text;
  parent.append(node);
};

const show = (found, by) => {
  of = by;
  hits = found.filter(hit => hit.i !== undefined);
  const searched = found.find(hit => hit.searched)?.searched || "";
  list.replaceChildren();
  for (const [at, hit] of hits.entries()) {
    const row = document.createElement("li");
    row.id = `search-hit-${at}`;
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
  const none = hits.length || found.some(hit => hit.failed) ? "" : "No concept has this number or name, and no caption these words.";
  if (none) line("li", none, list);
  if (searched) line("li", searched, list);
  if (searched) list.lastElementChild.className = "searched";
  for (const note of list.querySelectorAll(":scope > :not([role])")) note.setAttribute("role", "presentation");
  told.textContent = hits.length ? `${hits.length} found` : none || searched;
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  mark(0);
};

const ask = async () => {
  const by = wanted(), turn = ++asked;
  if (!input.value.trim()) { hits = []; of = by; list.replaceChildren(); return close(); }
  let found;
  try { found = await server.suggest(JSON.parse(by)); } catch {}
  if (!found) found = [{ failed: true, searched: "The search did not arrive: check the connection and type again." }];
  if (turn === asked && document.activeElement === input) show(found, by);
};

input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 80); });
input.addEventListener("focus", () => { if (input.value.trim()) ask(); });
input.addEventListener("blur", close);
input.addEventListener("keydown", async event => {
  if (event.key === "ArrowDown") mark(active + 1);
  else if (event.key === "ArrowUp") mark(active - 1);
  else if (event.key === "Escape") { event.stopPropagation(); close(); input.blur(); return; }
  else if (event.key === "Enter") {
    event.preventDefault();
    clearTimeout(timer);
    if (list.hidden || !hits.length || of !== wanted()) await ask();
    if (of === wanted() && hits[Math.max(active, 0)]) choose(hits[Math.max(active, 0)]);
    return;
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
