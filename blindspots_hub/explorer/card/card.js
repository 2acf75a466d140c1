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

element.addEventListener("click", event => {
  const target = event.target.closest("[data-open], [data-model], [data-copy], [data-close]");
  if (!target) return;
  if (target.matches("a") && !plain(event)) return;
  event.preventDefault();
  const { open, model } = target.dataset;
  if (open !== undefined) trigger("open", { i: Number(open) });
  else if (model !== undefined) trigger("switch", { key: model });
  else if ("copy" in target.dataset) copy(target);
  else trigger("close", {});
});
element.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.matches("tr[data-open]")) event.target.click();
});
document.addEventListener("keydown", event => {
  if (event.key !== "Escape" || event.defaultPrevented || !element.offsetParent) return;
  if (event.target.closest?.("input, textarea, select, [role=listbox]")) return;
  if (element.querySelector("[data-close]")) trigger("close", {});
});
element.addEventListener("change", event => {
  if (event.target.matches("[data-heat]")) element.classList.toggle("cold", !event.target.checked);
});
let shown = null;
watch("value", () => {
  const card = element.querySelector(".card");
  const concept = card?.dataset.concept ?? "";
  if (card && concept !== shown) {
    card.scrollTop = 0;
    for (const box of card.querySelectorAll(".strip")) box.scrollLeft = 0;
  }
  shown = concept;
  document.body.classList.toggle("card-sheet", Boolean(card?.dataset.sheet));
});
