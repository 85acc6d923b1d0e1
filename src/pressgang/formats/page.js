(() => {
  const all = (selector, home = document) => [...home.querySelectorAll(selector)];
  const svg = document.querySelector(".arcs");
  const active = "mark[data-e]:not(.off, .low), li[data-h]";

  /* An arc above mentions on one line; between lines, from the facing edge to the facing edge. */
  const draw = (home, relation, named) => {
    const box = (key) => home.querySelector(`mark[data-e="${key}"]`).getClientRects()[0];
    const [head, tail] = [box(relation.dataset.h), box(relation.dataset.t)];
    const [x1, x2] = [head, tail].map((rect) => rect.left + rect.width / 2 + scrollX);
    const down = tail.top >= head.bottom - 4;
    const up = tail.bottom <= head.top + 4;
    const y1 = (down ? head.bottom : head.top) + scrollY;
    const y2 = (up ? tail.bottom : tail.top) + scrollY;
    const bend = down || up ? (y2 - y1) / 2 : -Math.min(48, 16 + Math.abs(x2 - x1) / 8);
    const back = up ? 7 : -7;
    const arc = `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${down || up ? y2 - bend : y2 + bend} ${x2} ${y2 + back}`;
    const tip = `M${x2 - 4.5} ${y2 + back}L${x2} ${y2}L${x2 + 4.5} ${y2 + back}Z`;
    svg.insertAdjacentHTML("beforeend", `<path d="${arc}"/><path class="tip" d="${tip}"/>`);
    if (!named || down || up) return;
    svg.insertAdjacentHTML("beforeend", `<text x="${(x1 + x2) / 2}" y="${y1 + 0.75 * bend - 4}"/>`);
    svg.lastElementChild.textContent = relation.querySelector("span").textContent;
  };

  const show = (target) => {
    all(".on").forEach((element) => element.classList.remove("on"));
    svg.replaceChildren();
    const chosen = target.closest(active);
    if (!chosen) return;
    const home = chosen.closest("article");
    const key = chosen.dataset.e;
    const relations = key ? all(`li[data-h="${key}"], li[data-t="${key}"]`, home) : [chosen];
    const shown = relations.filter((relation) => relation.offsetParent);
    const keys = new Set(shown.flatMap((relation) => [relation.dataset.h, relation.dataset.t]));
    if (key) keys.add(key);
    for (const k of keys) all(`mark[data-e="${k}"]`, home).forEach((mark) => mark.classList.add("on"));
    for (const relation of shown) {
      relation.classList.add("on");
      draw(home, relation, shown.length === 1); /* names of several would collide; the list has them */
    }
  };

  document.addEventListener("pointerover", (event) => {
    show(event.target.closest(active) || document.activeElement || document.body);
  });
  document.addEventListener("focusin", (event) => show(event.target));
  document.addEventListener("focusout", () => show(document.body));
  addEventListener("resize", () => show(document.body));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.activeElement.matches(active)) document.activeElement.blur();
  });

  const reach = (element) => {
    if (element.matches("mark[tabindex]")) element.tabIndex = element.matches(".off, .low") ? -1 : 0;
  };
  all("aside button").forEach((button) =>
    button.addEventListener("click", () => {
      const off = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!off));
      all(`main .${button.dataset.k}`).forEach((element) => {
        element.classList.toggle("off", off);
        reach(element);
      });
    }),
  );
  document.getElementById("names").addEventListener("input", (event) => {
    document.body.classList.toggle("bare", !event.target.checked);
  });
  document.getElementById("least")?.addEventListener("input", (event) => {
    document.querySelector("output").textContent = Number(event.target.value).toFixed(2);
    all("main [data-s]").forEach((element) => {
      element.classList.toggle("low", Number(element.dataset.s) < Number(event.target.value));
      reach(element);
    });
  });
  const legend = document.querySelector("aside details");
  if (innerWidth < 1088) legend.open = false;
  addEventListener("beforeprint", () => { legend.open = true; });
})();
