"use strict";
// Theme, tabs, printing. Everything here only adds to a page that can be read without it.
document.documentElement.classList.add("script");
const byId = (name) => document.getElementById(name);
const DATA = JSON.parse(byId("data").textContent);

// Make an element: attributes by name, children as nodes or as text. The only way in which this page shows a text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

// Characters that hide, reorder or break text are spelt out; writing.py has the same class.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const spelt = (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
function shown(text) {
  const nodes = [];
  let last = 0;
  for (const found of String(text).matchAll(UNSEEN)) {
    nodes.push(text.slice(last, found.index), make("span", { class: "spelt" }, spelt(found[0])));
    last = found.index + found[0].length;
  }
  return [...nodes, String(text).slice(last)];
}

{ // Theme: as the system says, or light, or dark; remembered where the browser allows it.
  const names = ["auto", "light", "dark"];
  const button = byId("theme");
  let name = "auto";
  const remember = (write) => { try { return write ? localStorage.setItem("groma-theme", name) : localStorage.getItem("groma-theme"); } catch { return null; } };
  const apply = () => {
    if (name === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
  };
  const known = remember(false);
  if (names.includes(known)) name = known;
  button.addEventListener("click", () => { name = names[(names.indexOf(name) + 1) % names.length]; apply(); remember(true); });
  button.hidden = false;
  apply();
}

{ // Tabs: one view at a time, arrow keys between them.
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    for (const one of tabs) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", chosen);
      one.tabIndex = chosen ? 0 : -1;
      byId(one.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -place, End: tabs.length - 1 - place }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = tabs[(place + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
  if (tabs.length) { tabs[0].parentElement.hidden = false; choose(tabs[0]); }
}

{ // What is folded away is printed all the same.
  let folded = [];
  addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("details:not([open])")]; for (const one of folded) one.open = true; });
  addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
}
