// Rows open concepts; tables are made by the server and saved by the browser.
const open = row => {
  if (!row) return;
  document.dispatchEvent(new CustomEvent("concept", { detail: Number(row.dataset.open) }));
  trigger("open", { i: Number(row.dataset.open) });
};

const save = async button => {
  const { side, file } = button.dataset;
  const answer = await window.blindspots.asked(button, () => server.ranking([props.colour_key, side, props.show, file]));
  if (answer) window.blindspots.save(answer);
};

element.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button?.dataset.file) save(button);
  else if (button?.dataset.rows) trigger("rows", { rows: Number(button.dataset.rows) });
  else open(event.target.closest("tr[data-open]"));
});
element.addEventListener("keydown", event => {
  const row = event.target.closest("tr[data-open]");
  if (!row || event.target !== row) return;
  const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (event.key === "Enter") open(row);
  else if (next) row[next]?.focus();
  else return;
  event.preventDefault();
});
