"use strict";
// Replaces <main> by what the page is now, when something happened and every five seconds, at most five times a second.
(() => {
	const live = document.getElementById("live");
	let waiting = false, running = false, last = 0;

	const show = (text) => { if (live.textContent !== text) live.textContent = text; };

	async function refresh() {
		waiting = false;
		if (running) return later();
		running = true;
		last = Date.now();
		try {
			const answer = await fetch(location.href, {headers: {Accept: "text/html"}, cache: "no-store"});
			if (!answer.ok) throw new Error(answer.statusText);
			const next = new DOMParser().parseFromString(await answer.text(), "text/html");
			const open = [...document.querySelectorAll("details[open]")].map((d) => d.id);
			const focus = document.activeElement && document.activeElement.id;
			document.title = next.title;
			document.querySelector("main").replaceWith(document.adoptNode(next.querySelector("main")));
			for (const id of open) document.getElementById(id)?.setAttribute("open", "");
			if (focus) document.getElementById(focus)?.focus({preventScroll: true});
			show("live");
		} catch {
			show("connection lost, trying again");
		} finally {
			running = false;
		}
	}

	function later() {
		if (waiting) return;
		waiting = true;
		setTimeout(refresh, Math.max(0, 200 - (Date.now() - last)));
	}

	const events = new EventSource("api/v1/events");
	for (const kind of ["event", "missed"]) events.addEventListener(kind, later);
	events.addEventListener("open", later);
	events.addEventListener("error", () => show("connection lost, trying again"));
	setInterval(() => { if (!document.hidden) later(); }, 5000);
	document.addEventListener("visibilitychange", () => { if (!document.hidden) later(); });
})();
