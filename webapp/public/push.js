// A part of the service worker: shows what the server pushes, and opens what is clicked.

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.link));
});

async function show(data) {
  const { id, title, body, link } = data.json();
  const icon = "/icons/icon-192.png";
  await self.registration.showNotification(title, { body, tag: id, icon, data: { link } });
}

async function open(link) {
  const url = new URL(link || "/inbox", self.location.origin);
  const path = url.origin === self.location.origin ? url.pathname + url.search + url.hash : "/inbox";
  const [page] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!page) return self.clients.openWindow(path);
  page.postMessage({ type: "trellis:open", link: path });
  return page.focus();
}
