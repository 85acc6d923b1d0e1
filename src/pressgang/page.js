(() => {
  const all = (selector, home = document) => [...home.querySelectorAll(selector)];
  const svg = document.querySelector(".arcs");
  const active = "mark[data-e]:not(.off, .low), li[data-h]";

  const draw = (home, relation) => {
    const anchor = (key) => {
      const box = home.querySelector(`mark[data-e="${key}"]`).getClientRects()[0];
      return [box.left + box.width / 2 + scrollX, box.top + scrollY];
    };
    const [x1, y1] = anchor(relation.dataset.h);
    const [x2, y2] = anchor(relation.dataset.t);
    const lift = Math.min(48, 16 + Math.abs(x2 - x1) / 8);
    const arc = `M${x1} ${y1}C${x1} ${y1 - lift} ${x2} ${y2 - lift} ${x2} ${y2 - 5}`;
    const tip = `M${x2 - 4.5} ${y2 - 8}L${x2} ${y2}L${x2 + 4.5} ${y2 - 8}Z`;
    const place = `x="${(x1 + x2) / 2}" y="${(y1 + y2) / 2 - 0.75 * lift - 4}"`;
    svg.insertAdjacentHTML("beforeend", `<path d="${arc}"/><path class="tip" d="${tip}"/><text ${place}/>`);
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
      draw(home, relation);
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
  if (innerWidth < 1088) document.querySelector("aside details").open = false;
})();
