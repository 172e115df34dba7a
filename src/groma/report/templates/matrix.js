// The matrices: arrow keys between cells, and a card with all there is to know of a figure.
{
  const card = byId("card");
  let pinned = null;   // the cell whose card stays open
  let hovered = null;

  const recordsOf = (cell) => {
    const inside = [...cell.querySelectorAll("[data-record]")];
    return (inside.length ? inside : [cell]).map((one) => DATA.details[Number(one.dataset.record)]);
  };

  const list = (lines) => make("dl", {}, lines.map(([name, value]) => make("div", {}, make("dt", {}, shown(name)), make("dd", {}, shown(value)))));
  const part = (record) => make("section", {},
    make("h5", {}, shown(`${record.what} · ${record.where}`)),
    make("p", {}, make("b", {}, record.value), " ", shown(record.interval), record.against ? shown(` against ${record.against}`) : null),
    record.about ? make("p", { class: "small" }, shown(record.about)) : null,
    list(record.lines));

  // Shown while the pointer rests on a cell; pinned by a click, a tap or Enter, and then with all details and buttons.
  function open(cell, pin) {
    const records = recordsOf(cell);
    const { find, whole } = records[0];
    const acts = make("div", { class: "acts" });
    if (pin && find && byId("browser")) acts.append(make("button", { type: "button", class: "quiet", onclick: () => { close(false); showTranscripts(find); } }, "Read these transcripts"));
    if (pin) acts.append(make("button", { type: "button", class: "quiet", onclick: () => close(true) }, "Close"));
    card.replaceChildren(acts, ...records.map(part), ...(pin ? [make("section", {}, list(whole))] : []));
    card.hidden = false;
    const box = cell.getBoundingClientRect();
    const [wide, high] = [card.offsetWidth, card.offsetHeight];
    const left = box.right + 8 + wide < innerWidth ? box.right + 8 : box.left - 8 - wide > 0 ? box.left - 8 - wide : Math.max(8, innerWidth - wide - 8);
    card.style.left = `${left}px`;
    card.style.top = `${Math.max(8, Math.min(box.top, innerHeight - high - 8))}px`;
    card.scrollTop = 0;
    if (pin) { pinned = cell; (acts.firstChild ?? card).focus({ preventScroll: true }); }
  }

  function close(back) {
    card.hidden = true;
    if (back && pinned) pinned.focus({ preventScroll: true });
    pinned = null;
  }

  for (const table of document.querySelectorAll("[role=grid]")) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("[role=gridcell]")]);
    const known = (cell) => cell.dataset.record !== undefined || cell.querySelector("[data-record]") !== null;
    for (const [y, row] of rows.entries()) {
      for (const [x, cell] of row.entries()) {
        cell.tabIndex = x + y === 0 ? 0 : -1;
        cell.removeAttribute("title");
        for (const one of cell.querySelectorAll("[title]")) one.removeAttribute("title");
        const go = (y2, x2) => {
          const next = rows[y2]?.[x2];
          if (!next) return;
          for (const one of rows.flat()) one.tabIndex = -1;
          next.tabIndex = 0;
          next.focus();
        };
        cell.addEventListener("keydown", (event) => {
          const way = { ArrowUp: [y - 1, x], ArrowDown: [y + 1, x], ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1], Home: [y, 0], End: [y, row.length - 1] }[event.key];
          if (way) go(...way);
          else if ((event.key === "Enter" || event.key === " ") && known(cell)) open(cell, true);
          else return;
          event.preventDefault();
        });
        if (!known(cell)) continue;
        cell.addEventListener("click", () => open(cell, true));
        cell.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !pinned) { hovered = cell; open(cell, false); } });
        cell.addEventListener("pointerleave", () => { if (hovered === cell && !pinned) { hovered = null; close(false); } });
      }
    }
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !card.hidden) close(true); });
  addEventListener("pointerdown", (event) => { if (pinned && !card.contains(event.target)) close(false); });
  addEventListener("scroll", () => { if (!pinned && !card.hidden) close(false); }, { passive: true });
}
