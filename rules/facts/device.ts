/**
 * Who is who among struct devices: whether two expressions name the same device, and which of them is the importer
 * of a dma-buf or a DMA engine. Two devices are called different only when their names prove it.
 *
 * @module
 */

import { type Declarator, walkStmt } from "../engine/ast.ts";
import type { FunctionView } from "../engine/source.ts";

/** What is known of two device expressions. */
export type Relation = "same" | "different" | "unknown";

/** The variable that a normal form starts from: `attach` of `&attach->dmabuf->priv`. */
export function rootOf(form: string): string {
  return /[A-Za-z_]\w*/.exec(form.replace(/^[&*(\s]+/, ""))?.[0] ?? "";
}

/** The attachment parameter of a dma-buf callback; null when the function has none. */
export function attachmentOf(fn: FunctionView): string | null {
  return fn.node.params.find((param) => /^struct dma_buf_attachment \*$/.test(param.type))?.name ?? null;
}

/** Whether the form is an attachment's device: the importer, which issues the DMA. */
export function isImporter(form: string, fn: FunctionView): boolean {
  const attachment = attachmentOf(fn);
  return (attachment !== null && form === `${attachment}->dev`) ||
    /(?:^|>|\.)(?:db_)?attach(?:ment)?->dev$/.test(form);
}

/** Whether the form is the device behind a dmaengine channel: the DMA controller. */
export function isChannelDevice(form: string): boolean {
  // Other structures have a `device` as well; that of a channel is a pointer whose own `dev` is one.
  return /^(?!&).*(?:chan|dma|[rt]x)\w*(?:\[[^\]]*\])?->device->dev$/i.test(form) ||
    /^dmaengine_get_dma_device\(/.test(form);
}

/** Whether the form names the PCI device's struct device: `&pdev->dev` of owner `pdev`. */
export function isDeviceOf(form: string, owner: string): boolean {
  return form === `&${owner}->dev` || form === `&${owner}.dev`;
}

const STRUCTURAL = /^&?[\w.>[\]-]+$/;

/**
 * Compares two normal forms in one function. `different` needs proof: importer against somebody else, channel
 * device against somebody else, a device against its parent, two parameters of one type.
 */
export function relate(fn: FunctionView, a: string, b: string): Relation {
  if (a === b || a === `&${b}` || b === `&${a}`) return "same";
  if (a === "" || b === "" || a.includes("P2PLINT") || b.includes("P2PLINT")) return "unknown";
  if (a === "NULL" || b === "NULL") return "different";
  if (a === `${b}->parent` || b === `${a}->parent`) return "different";
  if (a === `&${b}.parent` || b === `&${a}.parent`) return "unknown";
  const importer = [isImporter(a, fn), isImporter(b, fn)];
  if (importer[0] !== importer[1]) {
    const other = importer[0] ? b : a;
    const attachment = attachmentOf(fn);
    // A path through the exporter's own data, or a parameter, is not the attachment's device.
    if (STRUCTURAL.test(other) && /[.>]/.test(other)) {
      return attachment === null || rootOf(other) !== attachment || /->dmabuf->priv/.test(other)
        ? "different"
        : "unknown";
    }
    return "unknown";
  }
  const channel = [isChannelDevice(a), isChannelDevice(b)];
  if (channel[0] !== channel[1]) {
    const other = channel[0] ? b : a;
    if (fn.file.path.startsWith("drivers/dma/")) return "unknown";
    return /^&\w+->dev$/.test(other) || /(?:^|->)dev$/.test(other) ? "different" : "unknown";
  }
  const owners = [/^&(\w+)->dev$/.exec(a)?.[1], /^&(\w+)->dev$/.exec(b)?.[1]];
  const type = (name: string | undefined) => fn.node.params.find((param) => param.name === name)?.type;
  if (owners[0] !== undefined && type(owners[0]) !== undefined && type(owners[0]) === type(owners[1])) {
    return "different";
  }
  return "unknown";
}

/** The C type of a parameter or local variable as it is declared; null when the declaration is not shown. */
export function declaredType(fn: FunctionView, name: string): string | null {
  let found: Declarator | undefined = fn.node.params.find((param) => param.name === name);
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if (stmt.kind === "decl") found = stmt.names.find((decl) => decl.name === name) ?? found;
    },
  });
  return found?.type ?? null;
}
