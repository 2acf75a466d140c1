// Keeps the address at what is shown. Other parts of the address, such as the theme, stay.
watch("to", () => {
  const [link, turn, arrived] = props.to;
  if (!turn) return;
  const here = new URL(location.href), there = new URL(location.href);
  for (const name of props.names) there.searchParams.delete(name);
  for (const [name, value] of new URLSearchParams(link)) there.searchParams.set(name, value);
  const differ = (names) => names.some((name) => here.searchParams.get(name) !== there.searchParams.get(name));
  if (!differ(props.names)) return;
  const how = !arrived && differ(props.places) ? "pushState" : "replaceState";
  history[how](history.state, "", there);
});

// Back and forward: the address is already where the visitor wants to be; the page follows it.
addEventListener("popstate", () => {
  trigger("travel", { query: Object.fromEntries(new URLSearchParams(location.search)) });
});
