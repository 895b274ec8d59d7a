// A token's row of the table: it is told what happens, and is drawn when the browser draws.

import type { Gap, State, Update } from "glow-broadcast-staging-client";
import * as words from "./words.js";

export class Row {
  readonly element = document.createElement("tr");
  state: State = { kind: "connecting" };
  private first: number | undefined;
  private last: number | undefined;
  private updates = 0;
  private gaps = 0;
  private readonly cells: Record<"price" | "change" | "updates" | "gaps" | "title" | "detail" | "counts", HTMLElement>;

  constructor(token: string) {
    this.element.role = "row";
    const head = add(this.element, "th", "token", token);
    head.scope = "row";
    head.role = "rowheader";
    const cell = (kind: string): HTMLElement => add(this.element, "td", kind);
    const [price, change, updates, gaps] = [cell("number price"), cell("number change"), cell("number updates"), cell("number gaps")];
    const state = cell("state");
    for (const each of this.element.querySelectorAll("td")) each.role = "cell";
    const part = (kind: string): HTMLElement => add(state, "span", kind);
    this.cells = { price, change, updates, gaps, title: part("title"), counts: part("counts"), detail: part("detail") };
  }

  update(update: Update): void {
    this.updates++;
    if (typeof update["price"] !== "number") return;
    this.first ??= update["price"];
    this.last = update["price"];
  }

  gap(_: Gap): void {
    this.gaps++;
  }

  draw(now: number): void {
    const { cells } = this;
    const { first, last } = this;
    set(cells.price, last === undefined ? "–" : words.price(last));
    set(cells.change, first === undefined || last === undefined ? "" : words.change(first, last));
    cells.change.dataset["direction"] = String(Math.sign((last ?? 0) - (first ?? 0)));
    set(cells.updates, this.updates.toLocaleString("en-US"));
    set(cells.gaps, this.gaps.toLocaleString("en-US"));
    set(cells.counts, `${count(this.updates, "update")}${this.gaps ? ` · ${count(this.gaps, "gap")}` : ""}`);
    set(cells.title, words.title(this.state));
    set(cells.detail, words.detail(this.state, now));
    this.element.dataset["state"] = this.state.kind;
    this.element.dataset["via"] = this.state.kind === "open" ? this.state.via : "";
  }
}

function add<Name extends keyof HTMLElementTagNameMap>(to: HTMLElement, name: Name, kind: string, text = ""): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = kind;
  element.textContent = text;
  to.append(element);
  return element;
}

/** Touches the page only where a text is another one: a screen reader reads what is written again. */
export function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
