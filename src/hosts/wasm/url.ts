/**
 * The same under the condition `browser`: bundlers for pages copy the file and give its URL. No
 * program runs this.
 */

declare const url: string;
export default url;
