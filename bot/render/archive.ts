/**
 * Where a mail is on the web. Pure.
 *
 * @module
 */

/** The address of a mail in an archive such as `https://lore.kernel.org/all`, with a slash at its end. */
export const mailUrl = (archive: string, messageId: string): string => `${archive}/${urlPart(messageId)}/`;

/** A stranger's text in a URL and a shell command: nothing is left that means something to either. */
const urlPart = (id: string): string =>
  encodeURIComponent(id).replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
    .replaceAll("%40", "@").replaceAll("%2B", "+");
