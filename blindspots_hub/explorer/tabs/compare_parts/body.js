// Asks for what takes its time once the tab is shown; buttons open concepts and choose two models.
const ask = () => { if (props.turn) trigger("draw", {}); };
watch("turn", ask);
ask();
element.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) trigger("open", { i: Number(button.dataset.open) });
  if (button.dataset.two) trigger("two", { models: button.dataset.two });
});
