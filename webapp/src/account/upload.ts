import { Problem, problem, Unreachable } from "@/api/problem";
import { session } from "@/api/session";

/** The side of the square that is sent: twice the server's, which draws it anew. */
const side = 1024;

/**
 * Cuts the middle out of a picture and makes it small, as the server would:
 * so it may be of any size, and where it was taken never leaves the device.
 * Rejects if the browser can't open it.
 */
export async function square(file: Blob): Promise<Blob> {
  const picture = await createImageBitmap(file);
  const from = Math.min(picture.width, picture.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(side, from);
  const left = (picture.width - from) / 2;
  const top = (picture.height - from) / 2;
  canvas.getContext("2d")?.drawImage(picture, left, top, from, from, 0, 0, canvas.width, canvas.height);
  picture.close();
  // Where WebP can't be written it becomes a PNG.
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/webp", 0.92));
  if (!blob) throw new Error("the picture cannot be written");
  return blob;
}

/** Sends a body and tells how much of it is sent, from 0 to 1, which fetch can't. */
export async function put(path: string, body: Blob, onProgress: (share: number) => void): Promise<unknown> {
  const token = await session.token();
  try {
    return await sent(path, body, token, onProgress);
  } catch (err) {
    if (!(err instanceof Problem && err.status === 401)) throw err;
    session.refused(token);
    return sent(path, body, await session.token(), onProgress);
  }
}

function sent(path: string, body: Blob, token: string, onProgress: (share: number) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("Authorization", "Bearer " + token);
    request.setRequestHeader("Content-Type", body.type);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onerror = () => reject(new Unreachable("the upload broke off"));
    request.onload = () => {
      const { status, response } = request;
      if (status < 300) return resolve(response);
      const after = request.getResponseHeader("Retry-After");
      reject(problem(new Response(null, { status, headers: after ? { "Retry-After": after } : {} }), response));
    };
    request.send(body);
  });
}
