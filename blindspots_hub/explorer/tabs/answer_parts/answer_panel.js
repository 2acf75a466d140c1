// Files of the open figure and its table.
const save = (name, blob) => window.blindspots.download(blob, name);

// Plotly draws a figure as layers of SVG: joined they are the figure as one file.
const figure = () => {
  const place = document.getElementById(element.closest("[id$=-table]").id.replace("-table", "-figure"));
  const layers = place ? [...place.querySelectorAll("svg.main-svg")] : [];
  if (!layers.length) return null;
  const { width, height } = layers[0].getBoundingClientRect();
  const canvases = [...place.querySelectorAll("canvas")].filter(c => c.width > 1).map(c => {
    try { return `<image width="${width}" height="${height}" href="${c.toDataURL()}"/>`; }
    catch { return ""; }
  });
  const inner = layers.map(svg => new XMLSerializer().serializeToString(svg));
  const back = getComputedStyle(document.body).backgroundColor;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="100%" height="100%" fill="${back}"/>${canvases.join("")}${inner.join("")}</svg>`;
  return { text, width, height };
};

const saveFigure = async kind => {
  const made = figure();
  if (!made) return;
  const svg = new Blob([made.text], { type: "image/svg+xml" });
  if (kind === "svg") return save(`${props.named}.svg`, svg);
  const image = new Image(), url = URL.createObjectURL(svg);
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * made.width; canvas.height = 2 * made.height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  canvas.toBlob(blob => save(`${props.named}.png`, blob));
};

// What was drawn while this was not mounted yet, as with a link, is lost: it is asked for again.
if (document.querySelector(`#${element.closest("[id$=-table]").id.replace("-table", "-open")}:not(.is-closed)`)) {
  setTimeout(() => trigger("ready", {}), 50);
}

element.addEventListener("click", async event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.figure) saveFigure(button.dataset.figure);
  if (button.dataset.save) {
    const answer = await window.blindspots.asked(button, () => server.table_of([props.asked, button.dataset.save]));
    if (answer) window.blindspots.save({ name: `${props.named}.${button.dataset.save}`, type: answer.type, content: answer.file });
  }
});
