// Buttons open an analysis; once the words have arrived, what is open is asked for, and nothing else.
const mark = open => element.querySelectorAll("[data-answer]").forEach(button =>
  button.setAttribute("aria-expanded", String(button.dataset.answer === open)));

let clicked = false;

const ask = () => {
  const [turn, open, toCome] = props.turn ?? [0, "", false];  // not there yet where a tab is mounted late
  if (!turn) return;
  requestAnimationFrame(() => mark(open));
  if (open) trigger("draw", {});
  if (toCome) trigger("tell", {});
  if (open && clicked) {
    const panel = document.getElementById(element.closest("[id$=-list]").id.replace("-list", "-open"));
    setTimeout(() => {
      if (panel && panel.getBoundingClientRect().top > innerHeight - 80) panel.scrollIntoView();
    }, 150);
  }
  clicked = false;
};

watch("turn", ask);
ask();

element.addEventListener("click", event => {
  const button = event.target.closest("[data-answer]");
  if (!button) return;
  clicked = true;
  const isOpen = button.getAttribute("aria-expanded") === "true";
  trigger("open", { name: isOpen ? "" : button.dataset.answer });
});
