// A file of prompts: read here, as the page takes no files, and checked by the server.
const told = element.querySelector("[role=status]"), input = element.querySelector("input");
input.addEventListener("change", async () => {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  told.textContent = "";
  if (file.size > props.most) {
    told.textContent = `${file.name} is larger than ${Math.round(props.most / 1000)} KB: take fewer prompts, or the command.`;
    return;
  }
  try {
    trigger("read", { text: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()), file: file.name });
  } catch { told.textContent = `${file.name} is not UTF-8 text: save it as UTF-8.`; }
});
