// The verdicts: a row opens the images of its test; what is shown is asked for when it is due.
const PATIENCE = 8000;  // milliseconds until what has not come is asked for again
const TRIES = 3;
let waiting;
const ask = tried => {
  clearTimeout(waiting);
  const turn = props.turn;
  if (!turn) return;
  trigger("draw", {});
  waiting = setTimeout(() => {
    if (props.turn !== turn) return;
    if (tried < TRIES) ask(tried + 1);
    else props.value = "<p class='none' role='status'>The verdicts did not arrive: check the connection, and open this tab again after another one.</p>";
  }, PATIENCE);
};
element.addEventListener("click", event => {
  const target = event.target.closest("[data-open]");
  if (!target || (target.matches("tr") && String(getSelection()))) return;
  event.preventDefault();
  trigger("open", { i: Number(target.dataset.open) });
});
watch("turn", () => ask(1));
ask(1);
