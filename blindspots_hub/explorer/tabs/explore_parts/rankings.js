// Rows open concepts; the CSV is made by the server and saved by the browser.
const open = row => row && trigger("open", { i: Number(row.dataset.open) });

const save = async button => {
  const answer = await server.csv([props.colour_key, button.dataset.csv, props.show]);
  if (answer.error) { button.textContent = answer.error; return; }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([answer.text], { type: "text/csv" }));
  link.download = answer.name;
  link.click();
  URL.revokeObjectURL(link.href);
};

element.addEventListener("click", event => {
  const button = event.target.closest("[data-csv]");
  if (button) save(button);
  else if (event.target.closest("[data-more]")) trigger("more", {});
  else open(event.target.closest("tr[data-open]"));
});
element.addEventListener("keydown", event => {
  const row = event.target.closest("tr[data-open]");
  if (!row) return;
  const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (event.key === "Enter") open(row);
  else if (next) row[next]?.focus();
  else return;
  event.preventDefault();
});
