// Names for controls of libraries that offer no way to give them one.
addEventListener("load", () => {
  const name = (e, text) => { if (text && !e.ariaLabel) e.ariaLabel = text; };
  const look = () => {
    for (const e of document.querySelectorAll(".cm-content"))
      name(e, e.closest(".prototxt")?.ariaLabel);
    for (const e of document.querySelectorAll("[role=dialog]"))
      name(e, e.querySelector("h1, h2, .q-card > div")?.textContent);
    for (const e of document.querySelectorAll(".q-uploader__header .q-btn")) {
      const title = e.closest(".q-uploader").querySelector(".q-uploader__title")?.textContent;
      name(e, (e.querySelector("input") ? "Choose files: " : "Remove files: ") + (title ?? ""));
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
});
