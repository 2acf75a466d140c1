// The verdicts: a row opens the images of its test; what is shown is asked for when it is due.
const PATIENCE = 8000;  // milliseconds until what has not come is asked for again
let waiting;
const ask = () => {
  clearTimeout(waiting);
  const turn = props.turn;
  if (!turn) return;
  trigger("draw", {});
  waiting = setTimeout(() => { if (props.turn === turn) ask(); }, PATIENCE);
};
element.addEventListener("click", event => {
  const target = event.target.closest("[data-open]");
  if (!target || (target.matches("tr") && String(getSelection()))) return;
  event.preventDefault();
  trigger("open", { i: Number(target.dataset.open) });
});
watch("turn", ask);
ask();
