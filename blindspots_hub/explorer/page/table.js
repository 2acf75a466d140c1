// A table that the server filters, sorts and pages: rows open, heads sort, files are saved.
const plain = event =>
  event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
const PATIENCE = 3000;  // ms after which a table that was asked for is no longer waited for
let again = "", timer = 0, aim = null;

const busy = selector => {
  again = selector;
  element.setAttribute("aria-busy", "true");
  clearTimeout(timer);
  timer = setTimeout(() => { element.removeAttribute("aria-busy"); aim = null; }, PATIENCE);
};

// A page of rows comes by its address, and the server is told besides. An answer that was
// overtaken, by another page or another table, is dropped.
let asked = 0;

const bring = async to => {
  const mine = ++asked, link = props.link, query = new URLSearchParams(link);
  query.set(props.pages, to);
  if (props.own.length) query.set("own", props.own.join());
  let answer;
  try { answer = await (await fetch(`${props.address}?${query}`)).json(); }
  catch { answer = { error: "The rows did not arrive: check the connection and ask again." }; }
  if (mine !== asked || link !== props.link) return;
  if (answer.error) { element.removeAttribute("aria-busy"); aim = null; tell(answer.error); return; }
  props.link = answer.link;
  props.value = answer.html;
};

// The page that a button of the pager leads to. A step that follows a step starts from the page that
// was asked for, which need not be there yet.
const led = button => {
  const { page, step } = button.dataset, last = [...button.parentElement.querySelectorAll("[data-page]")].pop();
  if (!step || aim === null) return Number(page);
  return Math.min(Math.max(aim + Number(step), 1), Number(last.dataset.page));
};
const here = () => Number(element.querySelector("[data-step='1']")?.dataset.page) - 1;

const tell = words => {
  const told = element.querySelector("[data-told]");
  if (told) told.textContent = words;
};

const save = async button => {
  const words = button.textContent;
  button.textContent = "…";
  let answer;
  try {
    answer = await server.file([props.link, button.dataset.file, "every" in button.dataset, ...props.own ?? []]);
  } catch {}
  answer ??= { error: "The file did not arrive: try again." };
  button.textContent = words;
  tell(answer.error ?? "");
  if (answer.error) return;
  window.blindspots.save(answer);
};

element.addEventListener("click", event => {
  const target = event.target.closest("[data-open], [data-sort], [data-page], [data-file], a[data-pair], [data-over], [data-close]");
  if (!target) return;
  if (target.matches("a") && !plain(event)) return;
  const { open, sort, page, file, pair, over } = target.dataset;
  if (target.matches("tr") && String(getSelection())) return;   // somebody copies words of a row
  if (event.pointerType === "touch" && event.target.closest("abbr[title]")) return;  // it explains itself
  event.preventDefault();
  if (file) save(target);
  else if (sort) { busy(`[data-column="${CSS.escape(target.dataset.column)}"]`); trigger("sort", { by: sort }); }
  else if (page) {
    busy(".pager button:not(:disabled)");
    aim = led(target);
    bring(aim);
    trigger("turn", { to: aim, link: props.link });
  }
  else if (over) { busy(`[data-over="${Number(over)}"]`); trigger("over", { i: Number(over) }); }
  else if (pair !== undefined) { busy("[data-close]"); trigger("pair", { id: pair }); }
  else if ("close" in target.dataset) { busy(""); trigger("pair", { id: "" }); }
  else trigger("open", { i: Number(open) });
});

// The keyboard stays where it was, and a new page is read from its top.
watch("value", () => {
  element.removeAttribute("aria-busy");
  if (aim === here()) aim = null;
  const wanted = again && element.querySelector(again);
  if (!wanted) { again = ""; return; }
  wanted.focus({ preventScroll: true });
  if (element.getBoundingClientRect().top < 0) element.scrollIntoView({ block: "start" });
  again = "";
});
