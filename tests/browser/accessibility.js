// What keeps this page from people who do not see it, do not use a mouse, or have a small screen: a list of sentences.

const faults = [];
const all = (selector) => Array.from(document.querySelectorAll(selector));
const demand = (holds, fault) => holds || faults.push(fault);
const named = (element) => element.textContent.trim() || element.getAttribute("aria-label");

demand(document.documentElement.lang, "the page says no language");
demand(document.title.trim(), "the page has no title");
demand(document.querySelector("meta[name=viewport]"), "a phone is not told to use its own width");
demand(all("h1").length === 1 && named(all("h1")[0]), "there is not one first heading");
demand(all("main").length === 1, "there is not one main part");

const ids = all("[id]").map((element) => element.id);
demand(new Set(ids).size === ids.length, `an id is used twice: ${ids}`);
let level = 0;
for (const heading of all("h1, h2, h3, h4")) {
  demand(heading.tagName[1] - level <= 1, `a heading skips a level: ${heading.textContent}`);
  level = Number(heading.tagName[1]);
}
for (const input of all("input:not([type=hidden], [hidden]), select, textarea")) {
  demand(input.labels.length > 0 && named(input.labels[0]), `an input has no label: ${input.outerHTML}`);
}
for (const group of all("fieldset")) {
  demand(named(group.querySelector("legend")), "a group of inputs has no legend");
}
for (const element of all("a, button")) {
  demand(named(element), `nobody knows what this does: ${element.outerHTML}`);
}
for (const image of all("img, svg")) {
  const says = image.hasAttribute("alt") || image.ariaLabel;
  demand(says || image.ariaHidden === "true", `an image says nothing: ${image.outerHTML}`);
}
for (const table of all("table")) {
  demand(table.caption?.textContent.trim(), "a table has no caption");
  demand(table.querySelector("tbody th[scope=row]"), "the rows of a table have no heads");
  demand(table.querySelector("thead th[scope=col]"), "the columns of a table have no heads");
}
for (const head of all("th")) {
  demand(head.scope, `a head of a table has no scope: ${head.outerHTML}`);
}
// Only what went wrong with what one has sent oneself may interrupt.
for (const live of all("[aria-live=assertive], [role=alert]")) {
  demand(live.id === "problem", `this interrupts: ${live.outerHTML}`);
}
if (document.getElementById("result")) {
  demand(document.querySelector("table"), "the bars are not a table");
  demand(document.querySelector("#announcement[role=status]"), "changes are not announced");
}
demand(
  document.documentElement.scrollWidth <= innerWidth,
  `the page is ${document.documentElement.scrollWidth} wide on a screen of ${innerWidth}`,
);
return faults;
