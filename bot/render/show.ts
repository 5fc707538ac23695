/**
 * What was understood of the inputs, not what is wrong with them: subjects, files, hunks, defects, series. Pure.
 *
 * @module
 */

import type { SeriesMember, SeriesOf } from "../../rules/engine/series.ts";
import type { Address, FileDiff, Hunk, Patch, Subject } from "../../rules/engine/types.ts";
import type { Paint } from "./color.ts";
import { printable } from "./printable.ts";
import { placeOf } from "./text.ts";

/** Names the shape of {@link showRow}'s document. */
export const SHOW_SCHEMA = "p2plint-show/1";

/** One message with what was read from it. */
export interface Shown {
  readonly input: string;
  readonly kind: string;
  readonly patch: Patch;
}

/** What a series member must carry to be named in the listing. */
export type ShownMember = SeriesMember & { readonly input: string; readonly position: number | null };

/** One message as text. */
export function showText({ kind, patch }: Shown, brush: Paint): string {
  const { mail, files, defects, baseCommit, changeId } = patch;
  const out = [brush("place", `${printable(placeOf(mail))} (${kind})`)];
  const field = (name: string, value: string | null) => {
    if (value !== null && value !== "") out.push(`  ${name.padEnd(11)} ${printable(value)}`);
  };
  field("subject", mail.subject.title);
  field("", subjectParts(mail.subject));
  field("author", mail.author === null ? null : addressText(mail.author));
  field("sender", isSender(patch) ? addressText(mail.from!) : null);
  field("date", mail.date);
  field("message-id", mail.messageId);
  field("in-reply-to", mail.inReplyTo);
  field("base-commit", baseCommit);
  field("change-id", changeId);
  if (files.length === 0) out.push("  no diff in it");
  for (const file of files) out.push(...fileLines(file, brush));
  for (const { damage, bodyNo, reason } of defects) {
    const line = bodyNo === null ? "" : `body line ${bodyNo}: `;
    out.push(`  ${brush("warning", "defect")}      ${line}${printable(reason)} [${damage}]`);
  }
  return out.join("\n") + "\n\n";
}

/** Whether somebody else's address carried the patch. */
function isSender({ mail: { author, from } }: Patch): boolean {
  return from !== null && author !== null && from.address !== author.address;
}

function addressText({ name, address }: Address): string {
  return name === "" ? `<${address}>` : `${name} <${address}>`;
}

function subjectParts({ isPatch, isReply, tags, version, index, total }: Subject): string {
  const parts: string[] = [];
  if (isReply) parts.push("a reply");
  if (isPatch) {
    parts.push(index === 0 ? `cover of ${total}` : `patch ${index} of ${total}`, `version ${version}`);
  }
  if (tags.length > 0) parts.push(`tags ${tags.join(", ")}`);
  return parts.join("; ");
}

function fileLines(file: FileDiff, brush: Paint): string[] {
  const { added, removed } = lineCounts(file.hunks);
  const path = file.oldPath !== null && file.newPath !== null && file.oldPath !== file.newPath
    ? `${file.oldPath} => ${file.newPath}`
    : file.newPath ?? file.oldPath ?? "(no path)";
  const origin = file.origin === "diff" ? "" : `, from a ${file.origin}`;
  const out = [
    `  ${file.status.padEnd(11)} ${printable(path)}  ${brush("added", `+${added}`)} ${
      brush("removed", `-${removed}`)
    }${origin}`,
  ];
  for (const hunk of file.hunks) {
    const section = hunk.section === "" ? "" : ` ${printable(hunk.section)}`;
    const damaged = hunk.whole ? "" : ` ${brush("warning", "(damaged)")}`;
    out.push(
      `    @@ -${hunk.oldStart},${hunk.oldCount} +${hunk.newStart},${hunk.newCount} @@${section}${damaged}`,
    );
  }
  return out;
}

function lineCounts(hunks: readonly Hunk[]): { readonly added: number; readonly removed: number } {
  let added = 0;
  let removed = 0;
  for (const { lines } of hunks) {
    for (const { kind } of lines) {
      if (kind === "added") added++;
      else if (kind === "removed") removed++;
    }
  }
  return { added, removed };
}

/** The series among the inputs, as text; single patches go without saying. */
export function seriesText(series: readonly SeriesOf<ShownMember>[], brush: Paint): string {
  const out: string[] = [];
  for (const { root, version, total, cover, members, absent } of series) {
    if (total <= 1 && cover === null) continue;
    const title = cover?.subject.title ?? members[0]?.subject.title ?? "";
    out.push(brush("place", `series of ${total}, version ${version}: ${printable(title)}`));
    out.push(`  root        ${printable(root)}`);
    if (cover !== null) out.push(`  cover       ${printable(placeOf(cover))}`);
    for (const member of members) {
      const { index, title: name } = member.subject;
      out.push(`  ${`${index}/${total}`.padEnd(11)} ${printable(placeOf(member))}  ${printable(name)}`);
    }
    if (absent.length > 0) out.push(`  ${brush("warning", "absent")}      ${absent.join(", ")}`);
    out.push("");
  }
  return out.length === 0 ? "" : out.join("\n") + "\n";
}

/** One message as a row of the JSON document: no line of code in it. */
export function showRow({ input, kind, patch }: Shown): unknown {
  const { mail, files, defects, baseCommit, changeId } = patch;
  return {
    input,
    kind,
    position: mail.position,
    messageId: mail.messageId,
    inReplyTo: mail.inReplyTo,
    references: mail.references,
    author: mail.author,
    from: mail.from,
    to: mail.to,
    cc: mail.cc,
    date: mail.date,
    subject: mail.subject,
    baseCommit,
    changeId,
    files: files.map((file) => ({
      oldPath: file.oldPath,
      newPath: file.newPath,
      status: file.status,
      origin: file.origin,
      line: file.bodyNo,
      oldBlob: file.oldBlob,
      newBlob: file.newBlob,
      ...lineCounts(file.hunks),
      hunks: file.hunks.map((hunk) => ({
        line: hunk.bodyNo,
        oldStart: hunk.oldStart,
        oldCount: hunk.oldCount,
        newStart: hunk.newStart,
        newCount: hunk.newCount,
        section: hunk.section,
        whole: hunk.whole,
        ...lineCounts([hunk]),
      })),
    })),
    defects: defects.map(({ damage, bodyNo, reason }) => ({ damage, line: bodyNo, reason })),
  };
}

/** A series as a row of the JSON document. */
export function seriesRow({ root, version, total, cover, members, absent }: SeriesOf<ShownMember>): unknown {
  const row = ({ input, position, messageId, subject }: ShownMember) => ({
    input,
    position,
    messageId,
    index: subject.index,
    title: subject.title,
  });
  return {
    root,
    version,
    total,
    cover: cover === null ? null : row(cover),
    members: members.map(row),
    absent,
  };
}
