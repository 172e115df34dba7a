// One item in full: what was asked, what is true, and what every stage under every system answered, side by side.
let openAt = -1;

function turn(role, text) {
  return make("div", { class: "turn" }, make("span", {}, role), make("span", { class: "text", dir: "auto" }, shown(text)));
}

function reply(episode, chosen, prompt) {
  const { stage, system, file } = sourceOf(episode);
  const rest = episode[REST] || {};
  const other = episode[PROMPT] !== prompt
    ? make("details", {}, make("summary", { class: "small" }, rest.form === "short" ? "asked in its one-token form" : chosen[REST]?.form === "short" ? "asked in full" : "asked otherwise"),
      DATA.prompts[episode[PROMPT]].map(([role, text]) => turn(role, text)))
    : null;
  const choices = itemOf(episode).choices;
  const scores = rest.scores ? make("details", {}, make("summary", { class: "small" }, "log-probabilities"),
    make("ul", { class: "small notes" }, rest.scores.map((score, place) => make("li", {}, `${score === null ? "−∞" : signed(score)} `, shown(choices[place] ?? ""))))) : null;
  const stopped = { length: "cut off: token limit", stop: "stop string", end: "" }[rest.stop] ?? rest.stop;
  return make("div", { class: episode === chosen ? "reply chosen" : "reply" },
    make("span", { class: "small" }, shown(`${stage} · ${system}`)),
    make("div", { class: "text", dir: "auto" }, shown(said(episode))),
    tagsOf(episode), scores, other,
    make("p", { class: "small" }, shown(`${stopped ? `${stopped} · ` : ""}${file} line ${episode[LINE]}`)));
}

function side(chosen) {
  const all = DATA.episodes.filter((one) => one[ITEM] === chosen[ITEM]);
  const order = (names, key) => names.filter((name) => all.some((one) => sourceOf(one)[key] === name));
  const known = (names, key) => [...new Set([...names, ...all.map((one) => sourceOf(one)[key])])];
  const [stages, systems] = [order(known(DATA.stages, "stage"), "stage"), order(known(DATA.systems, "system"), "system")];
  const grid = make("div", { class: "side" }, make("span", { class: "corner" }), systems.map((system) => make("h3", { class: "column" }, shown(system))));
  grid.style.setProperty("--columns", systems.length);
  for (const stage of stages) {
    grid.append(make("h3", {}, shown(stage)));
    for (const system of systems) {
      const here = all.filter((one) => sourceOf(one).stage === stage && sourceOf(one).system === system);
      grid.append(make("div", {}, here.map((one) => reply(one, chosen, chosen[PROMPT]))));
    }
  }
  return grid;
}

function openItem(place) {
  const dialog = byId("item");
  const episode = browser.found[place];
  const item = itemOf(episode);
  openAt = place;
  const facts = [["item", item.id], ["kind", item.kind], ["split", item.split], ...Object.entries(item.strata), ["the judge knows", item.gold]]
    .filter(([, value]) => value !== "");
  const move = (step) => make("button", { type: "button", class: "quiet", "aria-label": step < 0 ? "Previous episode" : "Next episode", disabled: browser.found[place + step] === undefined, onclick: () => openItem(place + step) }, 
    step < 0 ? ["←", make("span", { class: "word" }, " previous")] : [make("span", { class: "word" }, "next "), "→"]);
  dialog.replaceChildren(
    make("div", { class: "itembar" },
      make("h2", { id: "item-title" }, shown(`${sourceOf(episode).suite} · ${place + 1} of ${browser.found.length.toLocaleString("en")}`)),
      move(-1), move(1), make("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close")),
    make("div", { class: "itembody" },
      DATA.prompts[episode[PROMPT]].map(([role, text]) => turn(role, text)),
      item.choices.length ? turn("choices", item.choices.join(" · ")) : null,
      make("details", {}, make("summary", { class: "small" }, "about this item"),
        make("dl", { class: "facts small" }, facts.map(([name, value]) => make("div", {}, make("dt", {}, shown(name)), make("dd", {}, shown(value)))))),
      side(episode)));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.focus();   // so that arrow keys go on after the buttons were made anew
}

byId("item").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && browser.found[openAt + step]) { event.preventDefault(); openItem(openAt + step); }
});
byId("item").addEventListener("close", () => {
  while (browser.shown <= openAt && browser.shown < browser.found.length) more();
  document.querySelector(`[data-place="${openAt}"]`)?.focus();
});
byId("item").addEventListener("click", (event) => { if (event.target === byId("item")) byId("item").close(); });
