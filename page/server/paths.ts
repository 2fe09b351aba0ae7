/** Where the admin port serves the page. The page itself uses relative addresses, so that it works behind any proxy's prefix. */
export const PAGE_PATH = {
  html: "/",
  script: "/page/app.js",
  style: "/page/style.css",
  icon: "/page/icon.svg",
  stream: "/page/stream",
} as const;

/** Those of PAGE_PATH that are files. */
export const PAGE_FILES = [PAGE_PATH.html, PAGE_PATH.script, PAGE_PATH.style, PAGE_PATH.icon] as const;
