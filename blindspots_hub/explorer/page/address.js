const PATIENCE = 5000;  // ms after which an answer is no longer waited for
let waiting = 0, again = false;

// A tab that a visitor opens before the page's link is answered: the answer knows nothing of it, so
// it is asked for again, together with what the link names. null where nothing is waited for.
const linked = new URLSearchParams(location.search);
let early = props.names.some((name) => linked.has(name)) ? "" : null;
document.addEventListener("click", (event) => {
  const button = early !== null && event.target.closest?.("#tabs > .tab-wrapper button");
  if (button) early = button.textContent.trim();
}, true);

// Keeps the address at what is shown. Other parts of the address, such as the theme, stay. An answer
// that the server made before the visitor's last step back is too late (menus ask twice), and so is
// one that a newer one has overtaken: `turn` and `answered` are times of the server. Who needs to know
// what the server has noted hears it by the document's event `noted`.
let newest = 0;
function keep() {
  const [link, turn, arrived] = props.to;
  if (turn < newest) return;
  newest = turn;
  document.dispatchEvent(new CustomEvent("noted", { detail: { link, turn } }));
  if (turn && arrived && early !== null) {
    const tab = early;
    early = null;
    if (tab) { trigger("opened", { tab, query: Object.fromEntries(linked) }); return; }
  }
  if (!turn || waiting || turn < props.answered) return;
  const here = new URL(location.href), there = new URL(location.href);
  for (const name of props.names) there.searchParams.delete(name);
  for (const [name, value] of new URLSearchParams(link)) there.searchParams.set(name, value);
  const differ = (names) => names.some((name) => here.searchParams.get(name) !== there.searchParams.get(name));
  if (!differ(props.names)) return;
  const how = !arrived && differ(props.places) ? "pushState" : "replaceState";
  history[how](history.state, "", there);
}
watch("to", keep);

// Back and forward: the address is already where the visitor wants to be, and the page follows it.
// One question at a time, so that quick steps cannot be answered in another order; what was asked
// for meanwhile is asked once, of the address as it then is.
function travel() {
  if (waiting) { again = true; return; }
  waiting = setTimeout(settled, PATIENCE);
  trigger("travel", { query: Object.fromEntries(new URLSearchParams(location.search)) });
}

function settled() {
  clearTimeout(waiting);
  waiting = 0;
  if (again) { again = false; travel(); }
  else keep();  // what was shown meanwhile, if it is newer than the step that was answered
}

addEventListener("popstate", () => { early = null; travel(); });
watch("answered", settled);
