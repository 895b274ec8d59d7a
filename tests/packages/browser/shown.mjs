// What a person sees on the page.

/** The texts of the rows: token, price, change, updates, gaps, state and its detail. */
export function rows(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("#tokens tr")].map((row) =>
      [".token", ".price", ".change", ".updates", ".gaps", ".title", ".detail"].map((name) => row.querySelector(name).textContent),
    ),
  );
}

/** Waits until the row of `token` has a text that `pattern` fits. */
export async function reads(page, token, pattern) {
  const until = Date.now() + 15_000;
  for (;;) {
    const row = (await rows(page)).find(([name]) => name === token)?.join(" | ");
    if (pattern.test(row)) return row;
    if (Date.now() > until) throw new Error(`the row of \`${token}\` stays at \`${row}\`, which is not ${pattern}`);
    await new Promise((later) => setTimeout(later, 30));
  }
}

/** The text of what `selector` finds, without the spaces of the markup. */
export async function text(page, selector) {
  return (await page.locator(selector).innerText()).replace(/\s+/g, " ").trim();
}
