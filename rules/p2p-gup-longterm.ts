/**
 * L02: pages are pinned with FOLL_LONGTERM and FOLL_PCI_P2PDMA at once.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { search } from "./engine/cfg.ts";
import { type At, defineRule, type FunctionView } from "./engine/rule.ts";
import { consistent } from "./facts/failure.ts";
import { type Flow, flow, type Store } from "./facts/flow.ts";

const LONGTERM = "FOLL_LONGTERM";
const PEER = "FOLL_PCI_P2PDMA";

export default defineRule({
  id: "p2p-gup-longterm",
  since: "0.1.0",
  code: "L02",
  severity: "error",
  confidence: "high",
  category: "p2p-lifecycle",
  scope: "function",
  summary: "FOLL_PCI_P2PDMA together with FOLL_LONGTERM: no such pin is ever granted",
  why:
    `A pin without end would keep the provider's driver from being unbound, for as long as user space likes: P2PDMA
pages go away when their \`pgmap\` does. Therefore \`is_valid_gup_args()\` warns and refuses both flags together, and the
caller gets -EINVAL (or 0 pages) each time. A pin for the length of one transfer may have \`FOLL_PCI_P2PDMA\`; a pin for
longer has to do without P2P memory, or to take it from a dma-buf, which can be revoked.`,
  limits:
    `Flags that come in as an argument, or that a helper adds, are not seen. A caller that passes \`FOLL_PCI_P2PDMA\`
without asking whether its queue or device can do peer-to-peer DMA is not reported.`,
  unless:
    "a condition out of sight keeps the two flags apart, or an earlier patch of the series lifts the ban",
  sources: [
    "mm/gup.c: is_valid_gup_args()",
    "https://lore.kernel.org/all/20221021174116.7200-1-logang@deltatee.com/",
    "https://lore.kernel.org/all/20210928200506.GX3544071@ziepe.ca/",
  ],
  words: ["FOLL_PCI_P2PDMA"],
  kernel: { since: [6, 2] },
  messages: {
    both:
      "FOLL_LONGTERM and FOLL_PCI_P2PDMA exclude each other: is_valid_gup_args() warns and pins nothing; pin P2P pages for the transfer only",
  },
  bad: [
    {
      title: "both flags in one expression",
      patch: String.raw`
+static int foo_pin(unsigned long start, int n, struct page **pages)
+{
+	return pin_user_pages_fast(start, n, FOLL_WRITE | FOLL_LONGTERM | FOLL_PCI_P2PDMA, pages); /* want: both */
+}`,
    },
    {
      title: "one flag after the other",
      patch: String.raw`
 static int foo_pin(struct foo *foo, unsigned long start, int n, struct page **pages)
 {
 	unsigned int gup_flags = FOLL_LONGTERM;
 
+	if (foo->has_p2p)
+		gup_flags |= FOLL_PCI_P2PDMA; /* want: both */
 	return pin_user_pages_fast(start, n, gup_flags, pages);
 }`,
    },
    {
      title: "the second flag at the call",
      patch: String.raw`
+static int foo_pin(unsigned long start, int n, struct page **pages)
+{
+	unsigned int gup_flags = FOLL_PCI_P2PDMA | FOLL_WRITE;
+
+	return pin_user_pages_fast(start, n, gup_flags | FOLL_LONGTERM, pages); /* want: both */
+}`,
    },
  ],
  good: [
    {
      title: "pinned for one transfer",
      patch: String.raw`
+static int foo_pin(unsigned long start, int n, struct page **pages)
+{
+	return pin_user_pages_fast(start, n, FOLL_WRITE | FOLL_PCI_P2PDMA, pages); /* ok: both */
+}`,
    },
    {
      title: "the one or the other",
      patch: String.raw`
+static int foo_pin(struct foo *foo, unsigned long start, int n, struct page **pages)
+{
+	unsigned int gup_flags = FOLL_WRITE;
+
+	if (foo->is_once)
+		gup_flags |= FOLL_PCI_P2PDMA;
+	else
+		gup_flags |= FOLL_LONGTERM; /* ok: both */
+	return pin_user_pages_fast(start, n, gup_flags, pages);
+}
+
+static int foo_pin_more(struct foo *foo, unsigned long start, int n, struct page **pages)
+{
+	unsigned int gup_flags = FOLL_WRITE;
+
+	if (foo->is_once)
+		gup_flags |= FOLL_PCI_P2PDMA;
+	if (!foo->is_once)
+		gup_flags |= FOLL_LONGTERM; /* ok: both */
+	return pin_user_pages_fast(start, n, gup_flags, pages);
+}`,
    },
    {
      title: "the core refuses the pair",
      path: "mm/gup.c",
      patch: String.raw`
+static bool foo_valid(unsigned int gup_flags)
+{
+	if (WARN_ON_ONCE((gup_flags & FOLL_LONGTERM) && (gup_flags & FOLL_PCI_P2PDMA))) /* ok: both */
+		return false;
+	return !(gup_flags & (FOLL_LONGTERM | FOLL_PCI_P2PDMA)); /* ok: both */
+}`,
    },
  ],
  *check(fn, use) {
    const values = use(flow, fn);
    const adds = values.stores.filter((store) => /^\|?=$/.test(store.op) && gathered(store.value).size > 0);
    for (const { at, value, place, node } of combinations(values)) {
      const own = gathered(value);
      if (own.size === 0 && place === null) continue;
      if (own.has(LONGTERM) && own.has(PEER)) {
        yield { at, say: "both", subject: PEER };
        continue;
      }
      const flag = own.has(LONGTERM) ? PEER : own.has(PEER) ? LONGTERM : null;
      if (flag === null) continue;
      const names = place !== null ? [place] : operands(value);
      const earlier = adds.find((store) =>
        store.node !== node && names.includes(store.place) && gathered(store.value).has(flag) &&
        reaches(store, node, fn, values)
      );
      if (earlier === undefined) continue;
      yield {
        at,
        say: "both",
        because: [{ at: earlier.value, note: `${flag} is already in \`${earlier.place}\`` }],
        confidence: "medium",
        subject: PEER,
      };
    }
  },
});

/** A place where flags come together: added to a variable, or passed on. */
interface Combination {
  readonly at: At;
  readonly value: Expr;
  /** The variable that they are added to; null when they are passed on. */
  readonly place: string | null;
  readonly node: Store["node"];
}

function* combinations(values: Flow): Generator<Combination> {
  for (const { op, value, place, node } of values.stores) {
    if (op === "|=" || op === "=") yield { at: value, value, place: op === "|=" ? place : null, node };
  }
  for (const { call, node } of values.calls) {
    // A test of flags is a call, too: WARN_ON_ONCE(…).
    if (!/user_pages|pin_|gup|iov_iter/.test(call.name)) continue;
    for (const value of call.args) yield { at: value, value, place: null, node };
  }
}

/** The two flags as far as the expression adds them up. */
function gathered(expr: Expr): ReadonlySet<string> {
  const found = new Set<string>();
  const see = (part: Expr): void => {
    if (part.kind === "cast") see(part.value);
    else if (part.kind === "binary" && (part.op === "|" || part.op === "+")) {
      see(part.left);
      see(part.right);
    } else if (part.kind === "ident" && (part.name === LONGTERM || part.name === PEER)) found.add(part.name);
  };
  see(expr);
  return found;
}

function operands(expr: Expr): string[] {
  const names: string[] = [];
  walkExpr(expr, (part) => {
    if (part.kind === "ident") names.push(part.name);
  });
  return names;
}

function reaches(store: Store, to: Store["node"], fn: FunctionView, values: Flow): boolean {
  return search(
    store.node,
    (node) =>
      node === to
        ? "hit"
        : values.stores.some((other) =>
            other.node === node && other.place === store.place && other.op !== "|="
          )
        ? "stop"
        : "go",
    consistent(values.cfg, store.node, fn.file),
  ).hit !== null;
}
