// The verdicts: a row opens the images of its test; what is shown is asked for when it is due.
const ask = () => { if (props.turn) trigger("draw", {}); };
element.addEventListener("click", event => {
  const target = event.target.closest("[data-open]");
  if (!target || (target.matches("tr") && String(getSelection()))) return;
  event.preventDefault();
  trigger("open", { i: Number(target.dataset.open) });
});
watch("turn", ask);
ask();
