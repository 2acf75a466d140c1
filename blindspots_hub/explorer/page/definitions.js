// What explains itself on hover does so for keys and fingers as well: on focus, and on a tap.
const EXPLAINED = ["abbr", "dt", ".counts span", ".legend span", ".tag", "small", ".bundle"]
  .map(one => `${one}[title]`).join();
const ACTS = "a, button, summary, label, input, figure";

const told = document.createElement("div");
told.className = "definition";
told.id = "definition";
told.setAttribute("role", "tooltip");
told.popover = "manual";  // above an open dialog, too
document.body.append(told);
let explained = null;

const hush = () => {
  if (!explained) return;
  explained.removeAttribute("aria-describedby");
  explained = null;
  told.hidePopover();
};

const place = () => {
  const box = explained.getBoundingClientRect(), { offsetWidth: width, offsetHeight: height } = told;
  const below = box.bottom + 6 + height < innerHeight;
  told.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  told.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`;
};

const explain = what => {
  hush();
  explained = what;
  told.textContent = what.title;
  what.setAttribute("aria-describedby", told.id);
  told.showPopover();
  place();
};

const term = event => {
  const what = event.target.closest?.(EXPLAINED);
  return what && !what.closest(ACTS) ? what : null;
};
document.addEventListener("focusin", event => {
  const what = term(event);
  if (what?.matches(":focus-visible")) explain(what); else hush();
});
document.addEventListener("click", event => {
  const what = term(event);
  if (what && what !== explained) explain(what); else hush();
});
// A word that the keyboard reaches is scrolled to after it has the focus: the bubble goes along.
addEventListener("scroll", () => {
  if (!explained) return;
  const { top, bottom } = explained.getBoundingClientRect();
  if (explained.isConnected && bottom > 0 && top < innerHeight) place(); else hush();
}, { capture: true, passive: true });
addEventListener("keydown", event => {
  if (event.key !== "Escape" || !explained) return;
  hush();
  event.preventDefault();
  event.stopPropagation();  // the card stays open
}, true);

// Marked up as they come: keys reach what is explained. A row of a table is opened as a whole.
new MutationObserver(() => {
  for (const what of document.querySelectorAll(EXPLAINED)) {
    if (!what.hasAttribute("tabindex") && !what.closest(`${ACTS}, tbody`)) what.tabIndex = 0;
  }
}).observe(document.body, { childList: true, subtree: true });
