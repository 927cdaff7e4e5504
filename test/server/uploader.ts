/** Code with a finding, and the same without. */
export const RULE = "missing-cleanup-after-upload";

/** Uploads a rendered clip and leaves it in `.cache/clips`. */
export function uploader(name: string, body = ""): string {
  return `import { v2 as cloudinary } from "cloudinary";
import { writeFile } from "node:fs/promises";

export async function ${name}(id: string, clip: Uint8Array): Promise<string> {
  const clipPath = \`.cache/clips/\${id}.mp4\`;
  await writeFile(clipPath, clip);
  const { secure_url } = await cloudinary.uploader.upload(clipPath, { resource_type: "video" });
${body}  return secure_url;
}
`;
}
export const CLEANED = uploader("publish", "  await rm(clipPath, { force: true }).catch(() => undefined);\n").replace(
  "{ writeFile }",
  "{ rm, writeFile }",
);

/** A wrapper around the upload, in a file of its own. */
export const STORE = `import { v2 as cloudinary } from "cloudinary";
export const store = (f: string) => cloudinary.uploader.upload(f);
`;

/** Uses {@link STORE} of another file. */
export function sender(module: string, body: string): string {
  return `import { writeFile } from "node:fs/promises";
import { store } from "${module}";

export async function send(clip: Uint8Array) {
${body}}
`;
}
