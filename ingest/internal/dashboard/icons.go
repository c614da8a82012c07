package dashboard

import "html/template"

// sealPath is the seal of Sealdock's mark: twelve lobes in a field of 32.
const sealPath = "M16.00 3.40Q18.25 2.15 19.73 4.25Q22.30 4.10 22.72 6.64Q25.10 7.62 24.38 10.09Q26.10 12.00 24.38 13.91Q25.10 16.38 22.72 17.36Q22.30 19.90 19.73 19.75Q18.25 21.85 16.00 20.60Q13.75 21.85 12.27 19.75Q9.70 19.90 9.28 17.36Q6.90 16.38 7.62 13.91Q5.90 12.00 7.62 10.09Q6.90 7.62 9.28 6.64Q9.70 4.10 12.27 4.25Q13.75 2.15 16.00 3.40Z"

// icon returns one of the drawings below, 16 units square, hidden from screen
// readers: the word beside it says the same. An unknown name draws a ring.
func icon(name string) template.HTML {
	shape, ok := iconShape(name)
	if !ok {
		shape, _ = iconShape("ring")
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path fill-rule="evenodd" d="` + shape + `"/></svg>`)
}

func iconShape(name string) (string, bool) {
	switch name {
	// States: each has its own outline, so that they differ without colour.
	case "ok": // disc with a tick
		return "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.5 4.3-4.6 4.9-2.3-2.3-1.1 1.1 3.4 3.4 5.8-6-1.2-1.1Z", true
	case "moving": // arrow into a tray
		return "M7.1 1h1.8v6.2l2.3-2.3 1.2 1.2L8 10.5 3.6 6.1l1.2-1.2 2.3 2.3V1ZM1.5 9.5h1.8v3.7h9.4V9.5h1.8V15h-13V9.5Z", true
	case "warn": // triangle
		return "M8 1.2 15.6 14.5H.4L8 1.2Zm-.9 4.6v4.4h1.8V5.8H7.1Zm0 5.6v1.7h1.8v-1.7H7.1Z", true
	case "stop": // octagon
		return "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1L5.1 1Zm2 3.2v5h1.8v-5H7.1Zm0 6.2v1.8h1.8v-1.8H7.1Z", true
	case "ring": // open ring
		return "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Zm0 1.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4Z", true
	case "wait": // clock
		return "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 1.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 0 0 8 2.8Zm-.8 1.7h1.6v3.2l2.3 1.4-.8 1.4-3.1-1.9V4.5Z", true
	case "off": // broken link
		return "M2.3 1.2 14.8 13.7l-1.1 1.1L9.9 11H4.5a3.5 3.5 0 0 1-.9-6.3L1.2 2.3l1.1-1.1Zm2.6 4.9a1.8 1.8 0 0 0-.4 3.2h3.7L4.9 6.1ZM7.6 4.2a4 4 0 0 1 4 2.6 3.2 3.2 0 0 1 2.1 5.1l-1.2-1.2a1.5 1.5 0 0 0-1.2-2.3h-.9L9.9 7.5a2.2 2.2 0 0 0-1.4-1.4l-.9-1.9Z", true
	case "info":
		return "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm-.9 5.8v5h1.8v-5H7.1Zm0-3v1.8h1.8V3.8H7.1Z", true
	// Rooms and things.
	case "leave":
		return "M2 1.5h7v1.7H3.7v9.6H9v1.7H2v-13Zm8.6 2.7L14.5 8l-3.9 3.8-1.2-1.2 1.8-1.75H6v-1.7h5.2L9.4 5.4l1.2-1.2Z", true
	case "menu":
		return "M1.5 3h13v1.8h-13V3Zm0 4.1h13v1.8h-13V7.1Zm0 4.1h13V13h-13v-1.8Z", true
	case "wall":
		return "M1.5 2h5.6v5.2H1.5V2Zm7.4 0h5.6v5.2H8.9V2ZM1.5 8.9h5.6V14H1.5V8.9Zm7.4 0h5.6V14H8.9V8.9Z", true
	case "evidence":
		return "M1.5 2.5h5l1.4 1.8h6.6v9.2h-13v-11Zm1.7 4v5.3h9.6V6.5H3.2Z", true
	case "shield":
		return "M8 .8 14 3v4.5c0 3.6-2.4 6.3-6 7.7-3.6-1.4-6-4.1-6-7.7V3L8 .8Zm0 1.9L3.7 4.2v3.3c0 2.6 1.6 4.6 4.3 5.8 2.7-1.2 4.3-3.2 4.3-5.8V4.2L8 2.7Z", true
	case "station":
		return "M2 14.5V3.5L8 1l6 2.5v11h-4.2v-4H6.2v4H2ZM5 5v1.8h1.8V5H5Zm4.2 0v1.8H11V5H9.2Z", true
	case "video":
		return "M1 3.5h9.5v3l4-2.2v7.4l-4-2.2v3H1v-9Zm1.7 1.7v5.6h6.1V5.2H2.7Z", true
	case "notes":
		return "M2.5 1h11v14h-11V1Zm1.7 1.7v10.6h7.6V2.7H4.2Zm1.3 1.9h5v1.5h-5V4.6Zm0 2.7h5v1.5h-5V7.3Zm0 2.7h3.3v1.5H5.5V10Z", true
	case "file":
		return "M3 1h6.2L13 4.8V15H3V1Zm1.7 1.7v10.6h6.6V6H8V2.7H4.7Z", true
	case "receipt":
		return "M2.5 1h11v14l-1.9-1.2L9.8 15 8 13.8 6.2 15l-1.8-1.2L2.5 15V1Zm1.7 1.7v9.3l1.9 1.2L8 12l1.9 1.2 1.9-1.2V2.7H4.2Zm1.3 2h5v1.5h-5V4.7Zm0 2.8h5V9h-5V7.5Z", true
	case "camera":
		return "M4 1h8v14H4V1Zm1.7 1.7v10.6h4.6V2.7H5.7ZM8 4a2 2 0 1 1 0 4 2 2 0 0 1 0-4Zm-1 5.8h2v1.5H7V9.8Z", true
	case "bell":
		return "M8 .9a1.1 1.1 0 0 1 1.1 1.1v.3A4.6 4.6 0 0 1 12.6 6.8v2.9l1.6 2.5H1.8l1.6-2.5V6.8a4.6 4.6 0 0 1 3.5-4.5V2A1.1 1.1 0 0 1 8 .9Zm0 3a2.9 2.9 0 0 0-2.9 2.9v3.4l-.2.3h6.2l-.2-.3V6.8A2.9 2.9 0 0 0 8 3.9ZM6.2 13.2h3.6a1.8 1.8 0 0 1-3.6 0Z", true
	case "person":
		return "M8 1.2a3.4 3.4 0 1 1 0 6.8 3.4 3.4 0 0 1 0-6.8Zm0 1.7a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4ZM1.8 14.8c0-3.2 2.6-5.6 6.2-5.6s6.2 2.4 6.2 5.6h-1.8c0-2.2-1.8-3.9-4.4-3.9s-4.4 1.7-4.4 3.9H1.8Z", true
	case "key":
		return "M5 4a4 4 0 0 1 3.7 2.6H15v2.8h-1.4v2.2h-2.8V9.4H8.7A4 4 0 1 1 5 4Zm0 2.3a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4Z", true
	case "phone":
		return "M4 .8h8v14.4H4V.8Zm1.7 1.7v8.8h4.6V2.5H5.7Zm1.4 10.2v1.2h1.8v-1.2H7.1Z", true
	case "hold":
		return "M4.2 7V5a3.8 3.8 0 0 1 7.6 0v2h1.4v8H2.8V7h1.4Zm1.7 0h4.2V5a2.1 2.1 0 0 0-4.2 0v2Zm-1.4 1.7v4.6h7V8.7h-7Z", true
	case "dock":
		return "M1.5 7h1.8v5.2h9.4V7h1.8v7h-13V7Zm4-5h5v7.5h-5V2Zm1.6 1.6v4.3h1.8V3.6H7.1Z", true
	case "wave": // what goes up and down in time
		return "M1.5 13.5V9.8h2.4v3.7H1.5Zm3.5 0V6.4h2.4v7.1H5Zm3.5 0V8.2h2.4v5.3H8.5Zm3.5 0V2.5h2.4v11H12Z", true
	case "disk":
		return "M8 1.5c3.6 0 6.5 1.1 6.5 2.5v8c0 1.4-2.9 2.5-6.5 2.5S1.5 13.4 1.5 12V4c0-1.4 2.9-2.5 6.5-2.5Zm4.8 5c-1.2.6-2.9.9-4.8.9s-3.6-.3-4.8-.9v1.6c.3.4 2.1 1 4.8 1s4.5-.6 4.8-1V6.5Zm0 4c-1.2.6-2.9.9-4.8.9s-3.6-.3-4.8-.9v1.4c.3.4 2.1 1 4.8 1s4.5-.6 4.8-1v-1.4ZM8 3.2c-2.5 0-4.2.5-4.7.8.5.3 2.2.8 4.7.8s4.2-.5 4.7-.8c-.5-.3-2.2-.8-4.7-.8Z", true
	case "eye":
		return "M8 3c3.3 0 6 2 7.3 5-1.3 3-4 5-7.3 5S2 11 .7 8C2 5 4.7 3 8 3Zm0 1.7A5.7 5.7 0 0 0 2.6 8a5.7 5.7 0 0 0 10.8 0A5.7 5.7 0 0 0 8 4.7Zm0 1.1a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z", true
	case "search":
		return "M6.8 1.5a5.3 5.3 0 0 1 4.2 8.5l3.6 3.5-1.2 1.2L9.9 11.1a5.3 5.3 0 1 1-3.1-9.6Zm0 1.7a3.6 3.6 0 1 0 0 7.2 3.6 3.6 0 0 0 0-7.2Z", true
	case "next":
		return "m5.6 2.3 5.7 5.7-5.7 5.7-1.2-1.2L8.9 8 4.4 3.5l1.2-1.2Z", true
	case "package":
		return "M8 .8 14.5 4v8L8 15.2 1.5 12V4L8 .8Zm0 1.9L4.6 4.4 8 6.1l3.4-1.7L8 2.7ZM3.2 5.6v5.3l4 2V7.6l-4-2Zm9.6 0-4 2v5.3l4-2V5.6Z", true
	case "down":
		return "M7.1 1h1.8v6.7l2.5-2.5 1.2 1.3L8 11.1 3.4 6.5l1.2-1.3 2.5 2.5V1ZM2 13h12v1.8H2V13Z", true
	// The player.
	case "play":
		return "M3.5 1.5 14 8 3.5 14.5v-13Z", true
	case "pause":
		return "M3 2h3.6v12H3V2Zm6.4 0H13v12H9.4V2Z", true
	case "back":
		return "M8 2.5v11L1.5 8 8 2.5Zm6.5 0v11L8 8l6.5-5.5Z", true
	case "ahead":
		return "M1.5 2.5 8 8l-6.5 5.5v-11ZM8 2.5 14.5 8 8 13.5v-11Z", true
	case "frameback":
		return "M12.5 2.5v11L5 8l7.5-5.5ZM2.5 2.5h1.9v11H2.5v-11Z", true
	case "frameahead":
		return "M3.5 2.5 11 8l-7.5 5.5v-11Zm8.1 0h1.9v11h-1.9v-11Z", true
	case "full":
		return "M1.5 1.5h5v1.7H3.2v3.3H1.5v-5Zm8 0h5v5h-1.7V3.2H9.5V1.5Zm-8 8h1.7v3.3h3.3v1.7h-5v-5Zm11.3 0h1.7v5h-5v-1.7h3.3V9.5Z", true
	case "sound":
		return "M1 5.5h2.7L7.5 2v12l-3.8-3.5H1v-5Zm8.5-.9a4 4 0 0 1 0 6.8V4.6Zm0-3a6.8 6.8 0 0 1 0 12.8v-1.8a5.1 5.1 0 0 0 0-9.2V1.6Z", true
	case "mute":
		return "M1 5.5h2.7L7.5 2v12l-3.8-3.5H1v-5Zm9.2 0 1.8 1.8 1.8-1.8L15 6.7l-1.8 1.8 1.8 1.8-1.2 1.2L12 9.7l-1.8 1.8L9 10.3l1.8-1.8L9 6.7l1.2-1.2Z", true
	}
	return "", false
}
