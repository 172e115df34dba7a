// The transcripts: filters, an order, and a list that grows as it is asked to. Rows are unpacked from DATA.episodes.
const [ITEM, SOURCE, LINE, PROMPT, ANSWER, OBJECTIVE, PAY, VALUES, REST] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const PAGE_OF = 40;
const browser = { found: [], shown: 0 };

const itemOf = (episode) => DATA.items[episode[ITEM]];
const sourceOf = (episode) => DATA.sources[episode[SOURCE]];
const lastUser = (episode) => {
  const turns = DATA.prompts[episode[PROMPT]];
  return (turns.findLast((turn) => turn[0] === "user") ?? turns.at(-1) ?? ["", ""])[1];
};
const titleOf = (name) => DATA.titles[name] ?? name.replaceAll("_", " ");
const signed = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(2);

// What was judged and paid, as small labels; those that say how good or bad it was come first.
function tagsOf(episode) {
  const tags = [];
  if (episode[REST]?.failure) tags.push(make("span", { class: "tag failed" }, "failed"));
  for (const [place, name] of DATA.outcomes.entries()) {
    const value = episode[VALUES][place];
    if (value === null || value === undefined) continue;
    const yes = value >= 0.5;
    const good = DATA.good[name];
    const kind = !good ? "" : (good === "high") === yes ? "better" : "worse";
    if (kind === "better" && good === "low") continue;   // "no harm done" is not worth a label
    const text = `${titleOf(name)}: ${value === 0 ? "no" : value === 1 ? "yes" : value.toFixed(2)}`;
    tags.push(make("span", { class: `tag ${kind}` }, shown(text)));
  }
  if (episode[OBJECTIVE] !== null) tags.push(make("span", { class: "tag" }, make("span", { class: "dot objective", "aria-hidden": "true" }), `objective ${signed(episode[OBJECTIVE])}`));
  if (episode[PAY] !== null) tags.push(make("span", { class: "tag" }, make("span", { class: "dot pay", "aria-hidden": "true" }), `pay ${signed(episode[PAY])}`));
  return make("span", { class: "tags" }, tags);
}

// A long text, short enough for a list.
const brief = (text) => shown(text.length > 240 ? `${text.slice(0, 240)}…` : text);
const said = (episode) => episode[ANSWER] || (episode[REST]?.failure ? `(${episode[REST].failure})` : "(nothing)");

function rowOf(episode, place) {
  const { stage, system } = sourceOf(episode);
  return make("li", {}, make("button", { type: "button", class: "row", "data-place": place, onclick: () => openItem(place) },
    make("span", { class: "who" }, shown(`${stage} · ${system}`), make("br"), shown(` ${itemOf(episode).kind}`)),
    make("span", { class: "asked clip", dir: "auto" }, brief(lastUser(episode))),
    make("span", { class: "said clip", dir: "auto" }, brief(said(episode))),
    tagsOf(episode)));
}

function more() {
  const next = browser.found.slice(browser.shown, browser.shown + PAGE_OF);
  byId("list").append(...next.map((episode, place) => rowOf(episode, browser.shown + place)));
  browser.shown += next.length;
  const left = browser.found.length - browser.shown;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show ${Math.min(PAGE_OF, left)} more of ${left.toLocaleString("en")}`;
}

const ORDERS = {
  "as played": null,
  "most paid for least objective": (one) => [one[PAY], one[OBJECTIVE]].includes(null) ? -Infinity : one[PAY] - one[OBJECTIVE],
  "lowest objective first": (one) => one[OBJECTIVE] === null ? -Infinity : -one[OBJECTIVE],
  "highest pay first": (one) => one[PAY] ?? -Infinity,
  "longest answer first": (one) => one[ANSWER].length,
};

function refresh() {
  const want = Object.fromEntries(new FormData(byId("filters")));
  const [outcome, side] = want.outcome.split("=");
  const column = DATA.outcomes.indexOf(outcome);
  const text = want.text.trim().toLowerCase();
  browser.found = DATA.episodes.filter((episode) => {
    const [source, item] = [sourceOf(episode), itemOf(episode)];
    if (want.suite && source.suite !== want.suite || want.stage && source.stage !== want.stage) return false;
    if (want.system && source.system !== want.system || want.kind && item.kind !== want.kind || want.split && item.split !== want.split) return false;
    if (outcome === "(failed)" && !episode[REST]?.failure) return false;
    if (column >= 0) {
      const value = episode[VALUES][column] ?? null;
      if (value === null || side === "yes" && value < 0.5 || side === "no" && value >= 0.5) return false;
    }
    return !text || episode[ANSWER].toLowerCase().includes(text) || lastUser(episode).toLowerCase().includes(text) || item.id.toLowerCase().includes(text);
  });
  const rank = ORDERS[want.order];
  if (rank) browser.found = browser.found.map((one) => [rank(one), one]).sort((a, b) => (b[0] > a[0]) - (b[0] < a[0])).map(([, one]) => one);
  browser.shown = 0;
  byId("list").replaceChildren();
  more();
  byId("count").textContent = `${browser.found.length.toLocaleString("en")} of ${DATA.episodes.length.toLocaleString("en")} episodes`;
}

// From a figure to its episodes: the filters are set, the outcome's worse side first.
function showTranscripts([suite, stage, system, split, outcome]) {
  const form = byId("filters");
  form.reset();
  const set = (name, value) => { if ([...form.elements[name].options].some((one) => one.value === value)) form.elements[name].value = value; };
  set("suite", suite); set("stage", stage); set("system", system); set("split", split);
  if (DATA.outcomes.includes(outcome)) set("outcome", `${outcome}=${DATA.good[outcome] === "high" ? "no" : "yes"}`);
  else set("order", outcome === "pay" ? "most paid for least objective" : "lowest objective first");
  refresh();
  byId("transcripts").scrollIntoView();
  byId("transcripts").focus({ preventScroll: true });
}

if (byId("browser")) {
  const form = byId("filters");
  const fill = (name, values, all) => {
    const select = form.elements[name];
    const known = [...new Set(values)].filter((value) => value !== "");
    select.replaceChildren(...(all ? [make("option", { value: "" }, all)] : []), ...known.map((value) => make("option", { value }, shown(value).map((one) => one.textContent ?? one).join(""))));
    select.closest("label").hidden = known.length < 2;
  };
  fill("suite", DATA.sources.map((one) => one.suite), "all");
  fill("stage", DATA.sources.map((one) => one.stage), "all");
  fill("system", DATA.sources.map((one) => one.system), "all");
  fill("kind", DATA.items.map((one) => one.kind), "all");
  fill("split", DATA.items.map((one) => one.split), "all");
  fill("order", Object.keys(ORDERS));
  const failed = DATA.episodes.some((one) => one[REST]?.failure);
  form.elements.outcome.append(make("option", { value: "" }, "all"),
    ...DATA.outcomes.flatMap((name) => ["yes", "no"].map((side) => {
      const bad = DATA.good[name] && (DATA.good[name] === "low") === (side === "yes");
      return make("option", { value: `${name}=${side}` }, `${titleOf(name)}: ${side}${bad ? " (bad)" : ""}`);
    })), ...(failed ? [make("option", { value: "(failed)" }, "the episode failed")] : []));
  form.addEventListener("input", refresh);
  form.addEventListener("reset", () => setTimeout(refresh));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => { const at = browser.shown; more(); byId("list").children[at]?.firstChild.focus(); });
  byId("browser").hidden = false;
  refresh();
}
