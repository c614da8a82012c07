package kiosk

import "html/template"

// sign returns a drawing of 16 units square, hidden from screen readers: the
// word beside it says the same. Each has its own outline, so that signs differ
// without colour. An unknown name draws a ring.
func sign(name string) template.HTML {
	return template.HTML(`<svg class="sign" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path fill-rule="evenodd" d="` + outline(name) + `"/></svg>`)
}

func outline(name string) string {
	switch name {
	case "tick": // disc with a tick
		return "M8 .8a7.2 7.2 0 1 1 0 14.4A7.2 7.2 0 0 1 8 .8Zm3.5 4.2-4.7 5-2.3-2.3-1.3 1.3 3.7 3.7 6-6.4L11.5 5Z"
	case "lock": // padlock
		return "M3.9 6.6V5a4.1 4.1 0 0 1 8.2 0v1.6h1.4v8.6h-11V6.6h1.4Zm2 0h4.2V5a2.1 2.1 0 0 0-4.2 0v1.6ZM7 9.2v3.4h2V9.2H7Z"
	case "stop": // octagon with a bar
		return "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5L5 .8ZM3.6 6.8v2.4h8.8V6.8H3.6Z"
	case "alarm": // triangle with a mark
		return "M8 .9 15.8 14.9H.2L8 .9Zm-1 4.7.2 4.6h1.6L9 5.6H7Zm0 5.8v2h2v-2H7Z"
	case "moving": // arrow into a tray
		return "M7 .8h2v6l2.2-2.2 1.4 1.4L8 10.6 3.4 6l1.4-1.4L7 6.8v-6ZM1.2 9.4h2v3.7h9.6V9.4h2v5.8H1.2V9.4Z"
	case "up": // arrow out of a tray
		return "M7 10.2V4.6L4.8 6.8 3.4 5.4 8 .8l4.6 4.6-1.4 1.4L9 4.6v5.6H7ZM1.2 9.4h2v3.7h9.6V9.4h2v5.8H1.2V9.4Z"
	case "eye":
		return "M8 2.7c3.4 0 6.2 2 7.6 5.3-1.4 3.3-4.2 5.3-7.6 5.3S1.8 11.3.4 8C1.8 4.7 4.6 2.7 8 2.7Zm0 1.9C5.6 4.6 3.6 5.8 2.5 8c1.1 2.2 3.1 3.4 5.5 3.4s4.4-1.2 5.5-3.4c-1.1-2.2-3.1-3.4-5.5-3.4Zm0 1.1a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6Z"
	case "broom": // a tray that gets empty
		return "M1.2 2.2h13.6v2H1.2v-2ZM2.6 5.6h10.8l-.9 9.6h-9l-.9-9.6Zm2.2 1.9.5 5.8h5.4l.5-5.8H4.8Z"
	case "update": // two turning arrows
		return "M8 1.2a6.8 6.8 0 0 1 5.4 2.7V1.4h1.8v5.8H9.4V5.4h2.8A5 5 0 0 0 3.2 7H1.3A6.8 6.8 0 0 1 8 1.2Zm6.7 7.8A6.8 6.8 0 0 1 2.6 12.1v2.5H.8V8.8h5.8v1.8H3.8A5 5 0 0 0 12.8 9h1.9Z"
	case "off": // broken link
		return "M2.2 1 15 13.8 13.8 15 9.8 11H4.4A3.6 3.6 0 0 1 3.5 4.6L1 2.2 2.2 1Zm2.7 5a1.9 1.9 0 0 0-.5 3.2h3.7L4.9 6Zm2.7-1.9a4.1 4.1 0 0 1 4.1 2.7 3.3 3.3 0 0 1 2.1 5.2l-1.3-1.3a1.5 1.5 0 0 0-1.2-2.3h-.9L9.8 7.5a2.2 2.2 0 0 0-1.4-1.4l-.8-2Z"
	case "first": // two arrow heads up
		return "M8 1.2 14.2 7.4l-1.5 1.5L8 4.2 3.3 8.9 1.8 7.4 8 1.2Zm0 5.9 6.2 6.2-1.5 1.5L8 10.1l-4.7 4.7-1.5-1.5L8 7.1Z"
	case "bolt":
		return "M9.6.6 3 9h4.1l-.9 6.4L13 7H8.8L9.6.6Z"
	}
	return "M8 1.4a6.6 6.6 0 1 1 0 13.2A6.6 6.6 0 0 1 8 1.4Zm0 2a4.6 4.6 0 1 0 0 9.2 4.6 4.6 0 0 0 0-9.2Z"
}
