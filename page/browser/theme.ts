/** Light or dark: as the system has it, until the reader chooses. */
const KEY = "redis-ha-theme";

const dark = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(button: HTMLElement): void {
  const show = (): void => {
    const now = stored() ?? (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-theme", now);
    const other = now === "dark" ? "light" : "dark";
    button.textContent = now === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${other} colours`);
    button.setAttribute("data-next", other);
  };
  button.addEventListener("click", () => {
    store(button.getAttribute("data-next") ?? "light");
    show();
  });
  dark.addEventListener("change", show);
  show();
}

/** Storage may be forbidden: then the choice lasts until the page is closed. */
let chosen: string | undefined;

function stored(): string | undefined {
  try {
    return localStorage.getItem(KEY) ?? chosen;
  } catch {
    return chosen;
  }
}

function store(theme: string): void {
  chosen = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // `chosen` has it.
  }
}
