// A form above a table: every change asks for the table anew, with all that the form says. One
// question at a time: what is entered before its answer is there is asked after it.
const WAIT = 250;  // ms after the last key
const PATIENCE = 5000;  // ms after which an answer is no longer waited for
let timer = 0, waiting = 0, said = {};

const values = () => {
  const form = element.querySelector("form");
  return form ? Object.fromEntries(new FormData(form)) : {};
};
const ask = () => {
  clearTimeout(timer);
  if (waiting) return;
  const now = values();
  if (JSON.stringify(now) === JSON.stringify(said)) return;
  said = now;
  waiting = setTimeout(settled, PATIENCE);
  trigger("ask", { values: now });
};
const settled = () => {
  clearTimeout(waiting);
  waiting = 0;
  ask();
};
const later = () => { clearTimeout(timer); timer = setTimeout(ask, WAIT); };

element.addEventListener("input", event => event.target.matches("select") ? ask() : later());
element.addEventListener("change", ask);
element.addEventListener("submit", event => { event.preventDefault(); ask(); });
element.addEventListener("click", event => {
  if (!event.target.closest("[data-clear]")) return;
  event.preventDefault();
  for (const field of element.querySelectorAll("input")) field.value = "";
  for (const field of element.querySelectorAll("select")) field.selectedIndex = 0;
  ask();
});

// The form as the server has written it: a field that was left alone follows it; what has been
// entered since the last question stays, and is asked.
const written = field => field.options
  ? ([...field.options].find(one => one.defaultSelected) ?? field.options[0]).value
  : field.defaultValue;
const follow = () => {
  const before = said;
  said = {};
  for (const field of element.querySelectorAll("[name]")) {
    said[field.name] = written(field);
    if (before[field.name] === field.value) field.value = said[field.name];
  }
  later();
};
watch(["value", "written"], follow);
watch("answered", settled);
follow();
