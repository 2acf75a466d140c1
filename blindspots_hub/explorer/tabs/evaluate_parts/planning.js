// A row's button sets the form's pairs.
element.addEventListener("click", event => {
  const button = event.target.closest("[data-pairs]");
  if (button) trigger("use", { pairs: Number(button.dataset.pairs) });
});
