"use strict";
// The page asks the server for news, and shows what is new without losing the reader's place: where
// it is scrolled to, what is sorted, filtered, folded and chosen. `page.js`, before it, has the rest.

const EVERY = 2000; // milliseconds between two questions
const PATIENCE = 20000; // milliseconds for an answer: the server may be making a large page
const banner = document.getElementById("live");
let said = banner.textContent; // what the server said last

// A part of the page is known again by its section's title and its place among its kind there: a
// section's number changes where another appears before it.

function keyed(selector) {
  const counts = new Map();
  return [...document.querySelectorAll(`main ${selector}`)].map(part => {
    const section = part.closest("section")?.querySelector("h2")?.textContent ?? "";
    const at = counts.get(section) ?? 0;
    counts.set(section, at + 1);
    return [`${section} ${at}`, part];
  });
}

const columnOf = header => header.title || header.textContent;
const FOCUSABLE = "a, main button, main summary, main [tabindex]";

// What the reader has done to the page.

function kept() {
  const top = keyed("section > *").find(([, part]) => part.getBoundingClientRect().bottom > 0);
  const focused = keyed(FOCUSABLE).find(([, part]) => part === document.activeElement);
  return {
    open: new Map(keyed("details").map(([key, part]) => [key, part.open])),
    sorted: keyed("table").flatMap(([key, part]) =>
      [...part.querySelectorAll("th[aria-sort]")].map(th => [key, columnOf(th), th.getAttribute("aria-sort")])),
    scrolled: keyed(".scroll").map(([key, part]) => [key, part.scrollLeft, part.scrollTop]),
    chosen: document.querySelector("main .chosen")?.dataset,
    top: scrollY > 0 && top ? [top[0], top[1].getBoundingClientRect().top] : null,
    focused: focused?.[0],
  };
}

function restore(before) {
  for (const [key, part] of keyed("details")) part.open = before.open.get(key) ?? part.open;
  const tables = new Map(keyed("table"));
  for (const [key, column, order] of before.sorted) {
    const header = [...(tables.get(key)?.querySelectorAll("th") ?? [])].find(th => columnOf(th) === column);
    if (header) sortBy(header);
    if (header && order === "descending") sortBy(header);
  }
  const chosen = before.chosen?.trial ?? before.chosen?.of;
  if (chosen !== undefined) choose(chosen);
  const scrolling = new Map(keyed(".scroll"));
  for (const [key, left, top] of before.scrolled) scrolling.get(key)?.scrollTo(left, top);
  if (before.focused) new Map(keyed(FOCUSABLE)).get(before.focused)?.focus({ preventScroll: true });
  const place = before.top && new Map(keyed("section > *")).get(before.top[0]);
  if (place) scrollBy({ top: place.getBoundingClientRect().top - before.top[1], behavior: "instant" });
}

async function answer(address) {
  const given = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!given.ok) throw new Error(given.statusText);
  return given;
}

async function renew() {
  const text = await (await answer(location.pathname + location.search)).text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const before = kept();
  tip.hidden = true;
  document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
  document.getElementById("data").textContent = fresh.getElementById("data").textContent;
  document.title = fresh.title;
  banner.dataset.version = fresh.getElementById("live").dataset.version;
  arrange();
  restore(before);
}

const isSelecting = () => {
  const selection = getSelection();
  return selection.type === "Range" && document.querySelector("main").contains(selection.anchorNode);
};

function say(line, trouble) {
  if (banner.textContent !== line) banner.textContent = line;
  banner.classList.toggle("trouble", trouble);
}

async function ask() {
  try {
    const news = await (await answer(banner.dataset.news)).json();
    said = news.line;
    const fresh = news.version !== banner.dataset.version;
    if (fresh && isSelecting()) return say(`${said}. The page is renewed when nothing is selected`, false);
    if (fresh) await renew();
    say(said, news.trouble);
  } catch {
    say(`${said}. The server does not answer: start it again, and this page continues`, true);
  }
}

async function keepAsking() {
  if (!document.hidden) await ask();
  setTimeout(keepAsking, EVERY);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
keepAsking();
