// Package kiosk is the bay's face: one page, served on the dock itself, that
// tells officers at arm's length what each bay is doing and whether the camera
// may be taken out.
//
// It promises:
//   - "Safe to take" is shown only while the agent says so now. When the agent
//     or its answers stop, the page says that large, with JavaScript and
//     without, and shows no bay at all.
//   - A bay that reads, copies, erases or updates a camera, and one whose state
//     this package does not know, is never shown as safe, whatever the flag says.
//   - It shows no footage and no secret: words that look like paths, names of
//     media files or hashes are taken out of every text (discreet.go).
//   - Text from cameras, servers and people is shown as text, on one line each,
//     and bounded.
//   - It listens on this machine's loopback only, unless told otherwise by name,
//     and answers only requests that call it by a name of its own, so that no
//     web site can read it by DNS rebinding. The one thing that can be asked of
//     it, "urgent", is refused to every page but its own.
//   - Connections, header and body sizes, times and open live views are bounded.
//
// It does not know who stands in front of it: there is no login, so nothing
// here may need one. It decides nothing and keeps nothing; it imports nothing
// of the agent. The daemon is its only caller.
package kiosk
