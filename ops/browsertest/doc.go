// Package browsertest looks at the page of a node with a real browser: Debian's chromium-headless-shell, driven by chromedp. It is a
// module of its own, since nothing else needs a browser.
package browsertest
