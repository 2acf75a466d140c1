// What the slider of overlays is left at is noted in the page's link.
element.addEventListener("change", event => {
  if (event.target.matches("[data-heat]")) trigger("heat", { percent: Number(event.target.value) });
});
