// Buttons open an analysis; once the words have arrived, what is open is asked for, and nothing else.
const mark = open => element.querySelectorAll("[data-answer]").forEach(button =>
  button.setAttribute("aria-expanded", String(button.dataset.answer === open)));

const ARRIVING = 60000;  // ms in which words that come late may push away what a link has opened
const place = element.closest("[id$=-list]").id;
let clicked = false, arriving = false;

// Brings the panel into sight where it lies below the list, as it does on a phone.
const reach = () => setTimeout(() => {
  const panel = document.getElementById(place.replace("-list", "-open"));
  if (panel && panel.getBoundingClientRect().top > innerHeight - 80) panel.scrollIntoView();
}, 150);

// A link has opened an answer: it is what the visitor came for, until they move on their own.
const arrive = () => {
  const asked = new URLSearchParams(location.search);
  if (!asked.get("open") || !place.startsWith(`${asked.get("tab")}-`)) return;
  arriving = true;
  const left = () => { arriving = false; };
  setTimeout(left, ARRIVING);
  for (const event of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(event, left, { once: true, passive: true });
};

const ask = () => {
  const [turn, open, toCome] = props.turn ?? [0, "", false];  // not there yet where a tab is mounted late
  if (!turn) return;
  requestAnimationFrame(() => mark(open));
  if (open) trigger("draw", {});
  if (toCome) trigger("tell", {});
  if (open && (clicked || arriving)) reach();
  clicked = false;
};

watch("turn", ask);
watch("value", () => { if (arriving) reach(); });
arrive();
ask();

// The report is computed when it is asked for: that takes a while, and says so.
const report = async button => {
  const told = element.querySelector("[data-told]");
  button.disabled = true;
  told.textContent = "Computing every figure…";
  let answer;
  try { answer = await server.report(props.key_of_model); } catch {}
  answer ??= { error: "The report did not arrive: check the connection and ask again." };
  button.disabled = false;
  told.textContent = answer.error ?? "";
  if (!answer.error) window.blindspots.save(answer);
};

element.addEventListener("click", event => {
  if (event.target.closest("[data-report]")) { report(event.target.closest("[data-report]")); return; }
  const button = event.target.closest("[data-answer]");
  if (!button) return;
  clicked = true;
  const isOpen = button.getAttribute("aria-expanded") === "true";
  trigger("open", { name: isOpen ? "" : button.dataset.answer });
});
