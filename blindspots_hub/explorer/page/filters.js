// A form above a table: every change asks for the table anew, with all that the form says.
const WAIT = 250;  // ms after the last key
let timer = 0, said = "";

const values = () => {
  const form = element.querySelector("form");
  return form ? Object.fromEntries(new FormData(form)) : {};
};
const ask = () => {
  clearTimeout(timer);
  const now = values(), text = JSON.stringify(now);
  if (text === said) return;
  said = text;
  trigger("ask", { values: now });
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
watch("value", () => { said = JSON.stringify(values()); });
