/**
 * T06: a struct pci_p2pdma_map_state that remembers the answer for another device, or none at all.
 *
 * @module
 */

import type { Call, Declarator, Expr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView } from "./engine/rule.ts";
import { relate } from "./facts/device.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";

/**
 * Functions that look into a state and may answer from it: where they take it, and the device that it is for.
 * include/linux/pci-p2pdma.h, include/linux/dma-map-ops.h (up to v6.15), include/linux/hmm-dma.h (v6.16).
 */
const READERS: ReadonlyMap<string, { readonly state: number; readonly device: number }> = new Map([
  ["pci_p2pdma_state", { state: 0, device: 1 }],
  ["pci_p2pdma_map_segment", { state: 0, device: 1 }],
  ["hmm_dma_map_pfn", { state: 3, device: 0 }],
]);
const STATE = /^(?:static )?struct pci_p2pdma_map_state$/;

export default defineRule({
  id: "p2p-map-state-shared-between-devices",
  since: "0.1.0",
  code: "T06",
  severity: "warning",
  confidence: "medium",
  category: "translation",
  scope: "function",
  summary: "a pci_p2pdma_map_state is used for two devices, lives for ever, or was never set to zero",
  why:
    `The state remembers the map type of the provider that was asked about last, and the type is computed again only when the
provider changes. A page of the same provider gets the type that the first device had, whatever device is asked for: an
IOVA below a switch, or a bus address for a device that is behind the host bridge. One state belongs to one mapping
operation of one device.

It starts as zero. With what the stack held before, the first question may be answered without being asked.`,
  limits:
    `A state that is a member of a longer-lived structure is taken for one per device or request. Two devices are called
different only when the patch proves it.`,
  unless: "both names stand for the same device",
  sources: [
    "drivers/pci/p2pdma.c: __pci_p2pdma_update_state() (v6.16), pci_p2pdma_map_segment() and its comment (v6.0 to v6.15)",
    "include/linux/pci-p2pdma.h: pci_p2pdma_state()",
  ],
  words: ["p2pdma", "hmm_dma_map_pfn"],
  kernel: { since: [6, 0] },
  messages: {
    devices:
      "`{state}` holds the map type for `{first}`; for `{second}` it is not computed again as long as the provider is the same",
    static:
      "`{state}` is static: it keeps the map type of whatever device asked first, for all devices to come",
    uninitialized:
      "`{state}` is not set to zero before it is used: what is in it decides whether the route is asked for at all",
  },
  bad: [
    {
      title: "one state for two devices",
      patch: String.raw`
+static int foo_both(struct pci_dev *a, struct pci_dev *b, struct page *page)
+{
+	struct pci_p2pdma_map_state state = {};
+
+	if (pci_p2pdma_state(&state, &a->dev, page) == PCI_P2PDMA_MAP_NOT_SUPPORTED)
+		return -EREMOTEIO;
+	if (pci_p2pdma_state(&state, &b->dev, page) == PCI_P2PDMA_MAP_NOT_SUPPORTED) /* want: devices */
+		return -EREMOTEIO;
+	return 0;
+}`,
    },
    {
      title: "a state that stays, and one that is garbage",
      patch: String.raw`
+static bool foo_is_bus(struct device *dev, struct page *page)
+{
+	static struct pci_p2pdma_map_state state; /* want: static */
+
+	return pci_p2pdma_state(&state, dev, page) == PCI_P2PDMA_MAP_BUS_ADDR;
+}
+
+static int foo_map_range(struct device *dev, struct hmm_dma_map *map, int n)
+{
+	struct pci_p2pdma_map_state state; /* want: uninitialized */
+	int i;
+
+	for (i = 0; i < n; i++)
+		foo_set(dev, i, hmm_dma_map_pfn(dev, map, i, &state));
+	return 0;
+}
+
+static bool foo_is_bridge(struct device *dev, struct page *page)
+{
+	struct pci_p2pdma_map_state state; /* want: uninitialized */
+
+	return pci_p2pdma_state(&state, dev, page) == PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;
+}`,
    },
  ],
  good: [
    {
      title: "zero at the start, and again for the next device",
      patch: String.raw`
+static int foo_both(struct pci_dev *a, struct pci_dev *b, struct page *page)
+{
+	struct pci_p2pdma_map_state state; /* ok: uninitialized */
+
+	memset(&state, 0, sizeof(state));
+	if (pci_p2pdma_state(&state, &a->dev, page) == PCI_P2PDMA_MAP_NOT_SUPPORTED)
+		return -EREMOTEIO;
+	state = (struct pci_p2pdma_map_state){};
+	if (pci_p2pdma_state(&state, &b->dev, page) == PCI_P2PDMA_MAP_NOT_SUPPORTED) /* ok: devices */
+		return -EREMOTEIO;
+	return 0;
+}`,
    },
    {
      title: "one device, many pages",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page **pages, int n)
+{
+	struct pci_p2pdma_map_state state = { 0 }; /* ok: uninitialized */
+	int i;
+
+	for (i = 0; i < n; i++)
+		foo->types[i] = pci_p2pdma_state(&state, foo->dev, pages[i]); /* ok: devices */
+	return pci_p2pdma_state(&foo->state, foo->dev, pages[0]); /* ok: uninitialized */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || fn.file.path === "drivers/pci/p2pdma.c") return;
    const values = use(flow, fn);
    const sites = values.calls.flatMap(({ call, node }): Site[] => {
      const at = READERS.get(call.name);
      return at === undefined
        ? []
        : [{ call, node, state: call.args[at.state], device: call.args[at.device] }];
    });
    if (sites.length === 0) return;
    for (const { decl } of values.cfg.nodes) {
      if (decl === null || !STATE.test(decl.type)) continue;
      yield* declared(decl, sites, fn, values);
    }
    yield* devices(sites, fn, values);
  },
});

/** A call that looks into a state. */
interface Site {
  readonly call: Call;
  readonly node: CfgNode;
  readonly state: Expr | undefined;
  readonly device: Expr | undefined;
}

function* declared(
  decl: Declarator,
  sites: readonly Site[],
  fn: FunctionView,
  values: Flow,
): Generator<Draft<"static" | "uninitialized">> {
  const used = sites.filter(({ state }) => placeOf(state, values) === decl.name);
  if (used.length === 0) return;
  if (isStatic(decl, fn)) {
    yield { at: decl, say: "static", with: { state: decl.name } };
    return;
  }
  if (decl.init !== null) return;
  const sets = setters(decl.name, values);
  const uses = new Set(used.map(({ node }) => node));
  const found = search(
    values.cfg.nodes.find((node) => node.decl === decl)!,
    (node) => sets.has(node) || node.kind === "hole" ? "stop" : uses.has(node) ? "hit" : "go",
  );
  if (found.hit === null) return;
  yield {
    at: decl,
    say: "uninitialized",
    with: { state: decl.name },
    because: [{ at: found.hit.at, note: "used here" }],
    severity: "error",
  };
}

/** The declaration's own words tell: the type leaves out the storage class. */
function isStatic(decl: Declarator, fn: FunctionView): boolean {
  const { text } = fn.file;
  const line = text.slice(text.lastIndexOf("\n", decl.start) + 1, decl.start);
  return /\bstatic\b/.test(line) || decl.type.startsWith("static ");
}

function* devices(sites: readonly Site[], fn: FunctionView, values: Flow): Generator<Draft<"devices">> {
  for (const second of sites) {
    const state = placeOf(second.state, values);
    const { device } = second;
    if (state === null || device === undefined) continue;
    const sets = setters(state, values);
    const first = sites.find((one) =>
      one !== second && placeOf(one.state, values) === state && one.device !== undefined &&
      relate(fn, values.canonical(one.device), values.canonical(device)) === "different" &&
      search(
          one.node,
          (node) => node === second.node ? "hit" : sets.has(node) || node.kind === "hole" ? "stop" : "go",
        )
          .hit !== null
    );
    if (first === undefined) continue;
    yield {
      at: second.call,
      say: "devices",
      with: {
        state,
        first: fn.file.textOf(first.device!),
        second: fn.file.textOf(device),
      },
      because: [{ at: first.call, note: "asked for the other device" }],
      subject: state,
    };
  }
}

/** The state that an argument points to. */
function placeOf(arg: Expr | undefined, values: Flow): string | null {
  if (arg === undefined) return null;
  const form = values.canonical(arg);
  return form.startsWith("&") ? form.slice(1) : null;
}

/** Where the state, or a part of it, is written: by hand, or by a function that gets its address. */
function setters(state: string, values: Flow): ReadonlySet<CfgNode> {
  const nodes = values.stores.filter(({ place }) => place === state || place.startsWith(`${state}.`)).map((
    { node },
  ) => node);
  const calls = values.calls.filter(({ call }) =>
    !READERS.has(call.name) && call.args.some((arg) => placeOf(arg, values) === state)
  );
  return new Set([...nodes, ...calls.map(({ node }) => node)]);
}
