// The card: links open concepts without leaving the page.
const plain = event =>
  event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

const address = () => {
  const card = element.querySelector("[data-link]"), here = new URL(location.href);
  if (!card) return here.href;
  const wanted = new URLSearchParams(card.dataset.link);
  for (const name of ["bundle", "model", "delta", "concept"]) {
    wanted.has(name) ? here.searchParams.set(name, wanted.get(name)) : here.searchParams.delete(name);
  }
  return here.href;
};

const copy = async button => {
  const link = address();
  try {
    await navigator.clipboard.writeText(link);
  } catch {                                   // no permission, or a page that is not https
    const area = document.createElement("textarea");
    area.value = link;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy link"; }, 1500);
};

// A part of the card that comes when it is asked for; the server escapes every text in it.
const fill = async (box, asked) => {
  box.setAttribute("aria-busy", "true");
  let html;
  try { html = await asked; } catch {}
  box.innerHTML = html ?? "<p class='none'>It did not arrive: check the connection and ask again.</p>";
  box.removeAttribute("aria-busy");
};

// Brings the card of a concept: whoever opens one says so by the document's event `concept`, and
// tells the server of it besides. An answer that was overtaken, by another concept or by another
// model, is dropped.
// `last` is the concept that was opened last, `coming` the one whose card is asked for or there,
// until an answer takes it away, `around` the radius that was chosen since `shown` came.
// `noted` is the concept of the view that the server has noted last, and when.
let noted = { concept: -1, turn: 0 };
let last = -1, coming = null, opened = 0, brought = "", around = null;

// The concept whose card is shown: what is asked for on a card is of that one, whatever the server
// has noted by then.
const shownConcept = () => Number(element.querySelector(".card")?.dataset.concept);

const openCard = async i => {  // -1: none
  last = coming = i;
  const mine = ++opened, shown = props.shown, asked = new URLSearchParams(shown);
  const heat = element.querySelector("[data-heat]")?.value;
  asked.delete("tab");
  if (i < 0) asked.delete("concept"); else asked.set("concept", i);
  if (around !== null) asked.set("around", around);
  if (heat !== undefined) asked.set("heat", heat);
  if (props.own.length) asked.set("own", props.own.join());
  let answer;
  try { answer = await (await fetch(`cards?${asked}`)).json(); }
  catch { answer = { error: "The card did not arrive: check the connection and open it again." }; }
  if (mine !== opened || shown !== props.shown) return;
  if (answer.error) {
    const fault = document.createElement("p");
    fault.textContent = answer.error;
    answer.html = `<article class="card empty">${fault.outerHTML}</article>`;
  }
  props.value = brought = answer.html;
  document.dispatchEvent(new CustomEvent("companions", { detail: answer.companions || [] }));
};
document.addEventListener("concept", event => openCard(event.detail));

const open = i => {
  document.dispatchEvent(new CustomEvent("concept", { detail: i }));
  if (i < 0) trigger("close", {}); else trigger("open", { i });
};
const widen = percent => {
  around = percent;
  trigger("around", { percent, concept: shownConcept() });
  openCard(shownConcept());
};

const histogram = box => {
  if (box && !box.childElementCount) fill(box, server.histogram([props.colour_key, shownConcept()]));
};

const drawing = button => {
  window.blindspots.drawing(element.querySelector("svg.histogram"), `energies-${shownConcept()}`, button.dataset.drawing);
};

const images = button => {
  const { all, page } = button.dataset;
  const part = button.closest(".every"), box = document.createElement("div");
  part.querySelector(".way-on button")?.remove();
  if (page === "0") for (const old of part.querySelectorAll(":scope > div:not(.ask)")) old.remove();
  for (const other of part.querySelectorAll(".ask button")) other.setAttribute("aria-pressed", other.dataset.all === all);
  part.append(box);
  fill(box, server.images([props.colour_key, shownConcept(), all, Number(page)]));
};

const save = async button => {
  const ids = element.querySelector("[data-ids]").dataset.ids.split(" ").map(Number);
  const answer = await window.blindspots.asked(button, () => server.region([props.colour_key, ids, button.dataset.region]));
  if (answer) window.blindspots.save(answer);
};

// All names of the bundle, as a file; and one that is taken in, which the server checks again.
const names = async () => {
  const told = element.querySelector("[data-names-told]");
  try {
    const answer = await server.names([props.colour_key]);
    told.textContent = answer.error ?? "";
    if (!answer.error) window.blindspots.save(answer);
  } catch { told.textContent = "The file could not be made: try again."; }
};

const takeIn = async input => {
  const [file] = input.files, most = Number(input.dataset.most);
  if (!file) return;
  const told = element.querySelector("[data-names-told]");
  if (file.size > most) {
    told.textContent = `${file.name} is larger than ${most / 2 ** 20} MiB: take it in by the command labels BUNDLE --import FILE.`;
    input.value = "";
    return;
  }
  told.textContent = "…";
  let text;
  try { text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()); }
  catch { told.textContent = `${file.name} is not UTF-8 text: save it as CSV in UTF-8.`; input.value = ""; return; }
  told.textContent = "";
  input.value = "";
  trigger("taken", { text, file: file.name, key: props.colour_key });
};

// `toggle` of a details does not bubble.
element.addEventListener("toggle", event => {
  if (event.target.matches?.(".spread") && event.target.open) histogram(event.target.querySelector("[data-histogram]"));
}, true);

element.addEventListener("click", event => {
  const asked = event.target.closest("[data-all], [data-around], [data-region], [data-drawing], [data-rename], [data-names]");
  if (asked) {
    if (asked.dataset.all) images(asked);
    else if ("names" in asked.dataset) names();
    else if ("rename" in asked.dataset) trigger("name", { label: element.querySelector("[data-name]").value, concept: shownConcept(), key: props.colour_key });
    else if (asked.dataset.around !== undefined) widen(Number(asked.dataset.around));
    else if (asked.dataset.drawing) drawing(asked);
    else save(asked);
    return;
  }
  const target = event.target.closest("[data-open], [data-model], [data-copy], [data-close]");
  if (!target) return;
  if (target.matches("a") && !plain(event)) return;
  event.preventDefault();
  const { open: concept, model } = target.dataset;
  if (concept !== undefined) open(Number(concept));
  else if (model !== undefined) trigger("switch", { key: model, concept: shownConcept() });
  else if ("copy" in target.dataset) copy(target);
  else open(-1);
});
element.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.matches("tr[data-open]")) event.target.click();
  if (event.key === "Enter" && event.target.matches("[data-name]")) element.querySelector("[data-rename]").click();
});
document.addEventListener("keydown", event => {
  if (event.key !== "Escape" || event.defaultPrevented || !element.offsetParent) return;
  if (event.target.closest?.("input, textarea, select, [role=listbox]")) return;
  if (document.querySelector("dialog[open]")) return;  // it is what closes
  if (element.querySelector("[data-close]")) open(-1);
});
element.addEventListener("change", event => {
  if (event.target.matches("[data-names-in]")) takeIn(event.target);
});
let spreads = false;
// The server noted a concept after it had made what is shown: an answer that knew nothing of it has
// taken its card away, and it is asked for anew.
const agree = () => {
  const { concept, turn } = noted;
  if (turn > props.shown_at && concept >= 0 && concept === last && concept !== coming && concept !== shownConcept()) {
    document.dispatchEvent(new CustomEvent("concept", { detail: concept }));
  }
};
document.addEventListener("noted", event => {
  const { link, turn } = event.detail;
  noted = { concept: Number(new URLSearchParams(link).get("concept") ?? -1), turn };
  agree();
});
watch("shown_at", () => { opened++; around = coming = null; agree(); });
watch("value", () => {
  if (props.value !== brought) { opened++; coming = null; agree(); }
  const card = element.querySelector(".card");
  // What was open stays open with the next concept.
  const spread = element.querySelector(".spread");
  if (spread) {
    spread.open = spreads;
    spread.addEventListener("toggle", () => { spreads = spread.open; });
  }
  document.body.classList.toggle("card-sheet", Boolean(card?.dataset.sheet));
});
