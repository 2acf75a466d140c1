// Pictures of every tab open large: a figure.pair with its images, overlays and caption. Nothing is
// asked of the server but the images themselves.

window.blindspots = window.blindspots || {};

// Saves a file that the server made: { name, type, content } with the content in base64.
window.blindspots.save = ({ name, type, content }) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  window.blindspots.download(new Blob([bytes], { type }), name);
};
window.blindspots.download = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
// What the server answers to a button, or null: what went wrong is said in its place for a while.
window.blindspots.asked = async (button, ask) => {
  const words = button.dataset.words ??= button.textContent;
  let answer;
  try { answer = await ask(); } catch {}
  if (answer && !answer.error) return answer;
  button.textContent = answer?.error ?? "It did not arrive: try again.";
  setTimeout(() => { button.textContent = words; }, 2000 + 50 * button.textContent.length);  // to be read
  return null;
};
// A drawing of the page as a file of its own: colours that it takes from the page are written into it.
window.blindspots.drawing = async (svg, name, kind) => {
  const copy = svg.cloneNode(true), [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const style = getComputedStyle(svg), page = getComputedStyle(document.body);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.color = style.color;
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute("fill", page.backgroundColor);
  copy.prepend(paper);
  const file = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  if (kind === "svg") return window.blindspots.download(file, `${name}.svg`);
  const image = new Image(), sheet = document.createElement("canvas");
  image.src = URL.createObjectURL(file);
  await image.decode();
  [sheet.width, sheet.height] = [3 * width, 3 * height];
  sheet.getContext("2d").drawImage(image, 0, 0, sheet.width, sheet.height);
  URL.revokeObjectURL(image.src);
  sheet.toBlob(blob => window.blindspots.download(blob, `${name}.png`));
};

const large = document.createElement("dialog");
large.className = "lightbox";
large.setAttribute("aria-label", "Images of one caption");
document.body.append(large);

const node = (tag, name, text, parent) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  parent?.append(made);
  return made;
};

// A picture, with its overlay where `over`, as a PNG.
const drawn = (frame, over) => new Promise(done => {
  const image = frame.querySelector("img"), heat = over && frame.querySelector(".heat");
  const sheet = document.createElement("canvas"), pen = sheet.getContext("2d");
  sheet.width = image.naturalWidth;
  sheet.height = image.naturalHeight;
  pen.drawImage(image, 0, 0);
  const finish = () => sheet.toBlob(done, "image/png");
  if (!heat) { finish(); return; }
  const both = new Image();  // fill on the left, outline on the right
  both.onload = () => {
    const side = Math.min(sheet.width, sheet.height), wide = both.naturalWidth / 2;
    pen.imageSmoothingEnabled = false;
    for (const [at, alpha] of [[0, fillOf(heatNow())], [wide, lineOf(heatNow())]]) {
      pen.globalAlpha = alpha;
      pen.drawImage(both, at, 0, wide, both.naturalHeight, (sheet.width - side) / 2, (sheet.height - side) / 2, side, side);
    }
    finish();
  };
  both.onerror = finish;
  both.src = heat.style.backgroundImage.slice(5, -2);
});

const tool = (words, parent, act) => {
  const button = node("button", "", words, parent);
  button.type = "button";
  button.onclick = async () => {
    try { await act(); button.textContent = "Done"; }
    catch { button.textContent = "The browser refuses it"; }
    setTimeout(() => { button.textContent = words; }, 1500);
  };
};

function show(figure) {
  large.replaceChildren();
  const head = node("header", "", "", large);
  node("p", "", figure.dataset.caption ?? figure.querySelector("figcaption")?.textContent ?? "", head);
  const close = node("button", "", "×", head);
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.onclick = () => large.close();
  const sides = node("div", "sides", "", large);
  const named = [...figure.querySelectorAll("figcaption > span")].map(one => one.textContent);
  for (const [place, picture] of figure.querySelectorAll(".picture").entries()) {
    const image = picture.querySelector("img"), heat = picture.querySelector(".heat");
    const box = node("section", "", "", sides);
    const side = image?.alt.startsWith("generated") ? "generated" : "natural";
    node("h3", "", named[place] ?? (image ? side : ""), box);
    if (!image) { box.append(picture.cloneNode(true)); continue; }
    const frame = node("div", "picture", "", box);
    const full = node("img", "", "", frame);
    full.alt = image.alt;
    full.src = image.src.replace("/thumbnail/", "/full/");
    if (heat) frame.append(heat.cloneNode());
    const tools = node("div", "tools", "", box), name = `${named[place]?.replace(/\W+/g, "-").toLowerCase() || side}-${figure.dataset.pair}`;
    const files = [["", false], ...(heat ? [[" with overlay", true]] : [])];
    for (const [words, over] of files) {
      tool(`Copy${words}`, tools, () => navigator.clipboard.write([new ClipboardItem({ "image/png": drawn(frame, over) })]));
      tool(`Download${words}`, tools, async () => window.blindspots.download(await drawn(frame, over), `${name}${over ? "-overlay" : ""}.png`));
    }
  }
  if (figure.querySelector(".heat")) {
    const label = node("label", "heat-switch", "where it fires ", large), range = node("input", "", "", label);
    Object.assign(range, { type: "range", min: 0, max: 100, value: heatNow() });
    range.oninput = () => heatTo(range.value);
    // What it is left at is noted by whoever holds the page's own slider.
    range.onchange = () => [...document.querySelectorAll("[data-heat]")].find(one => one.offsetParent)
      ?.dispatchEvent(new Event("change", { bubbles: true }));
  }
  large.showModal();
}

// How much of overlays is shown is one for the whole page: first their outlines, then what is inside.
const OUTLINE = 30;
let heatPercent = OUTLINE;
const heatNow = () => heatPercent;
const lineOf = percent => Math.min(percent / OUTLINE, 1);
const fillOf = percent => Math.max(percent - OUTLINE, 0) / (100 - OUTLINE);
const heatTo = percent => {
  heatPercent = Number(percent);
  document.documentElement.style.setProperty("--heat-line", lineOf(heatPercent));
  document.documentElement.style.setProperty("--heat-fill", fillOf(heatPercent));
  for (const range of document.querySelectorAll("[data-heat]")) range.value = percent;
};
document.addEventListener("input", event => { if (event.target.matches?.("[data-heat]")) heatTo(event.target.value); });
new MutationObserver(() => {
  for (const figure of document.querySelectorAll("figure.pair:not([tabindex])")) {
    figure.tabIndex = 0;
    figure.setAttribute("role", figure.querySelector("a") ? "group" : "button");  // no link in a button
  }
  for (const range of document.querySelectorAll("[data-heat]:not([data-known])")) {
    range.dataset.known = "";
    heatTo(range.getAttribute("value"));
  }
}).observe(document.body, { childList: true, subtree: true });

document.addEventListener("click", event => {
  if (event.target === large) { large.close(); return; }
  const figure = event.target.closest?.("figure.pair");
  if (figure && !event.target.closest("a, button")) show(figure);
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && large.open) { event.preventDefault(); event.stopPropagation(); large.close(); return; }
  if ((event.key === "Enter" || event.key === " ") && event.target.matches?.("figure.pair")) { event.preventDefault(); show(event.target); }
}, true);
