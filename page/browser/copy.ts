/** Buttons that copy a command. */
const SHOWN_MS = 1600;

/** Works for every present and later `data-copy` under `root`. */
export function copyOnClick(root: Document): void {
  root.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
    if (button === null) return;
    const text = button.getAttribute("data-copy") ?? "";
    copy(text).then(
      () => flash(button, "Copied"),
      // Not a secure context, or not allowed: it is selected, so that a key does the rest.
      () => flash(button, select(button) ? "Press Ctrl+C" : "Select it by hand"),
    );
  });
}

async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}

function select(button: Element): boolean {
  const code = button.parentElement?.querySelector("code");
  const selection = getSelection();
  if (code == null || selection === null) return false;
  selection.selectAllChildren(code);
  return true;
}

/** Said to screen readers by the polite region, and shown on the button for a moment. */
function flash(button: Element, text: string): void {
  const told = document.getElementById("told");
  if (told !== null) told.textContent = text;
  button.setAttribute("data-flash", text);
  setTimeout(() => button.removeAttribute("data-flash"), SHOWN_MS);
}
