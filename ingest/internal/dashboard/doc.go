// Package dashboard is Sealdock in the browser: set-up, sign-in, the own
// account, the live overview, alerts, cameras with their keys, assignments and
// completeness, the evidence list, an item with its player, hashes and custody,
// receipts, and quarantine.
//
// It promises:
//   - Pages are complete without JavaScript; with it the overview is live, the
//     player has better controls, and passkeys can be used. No third-party
//     code, nothing inline.
//   - Every answer carries the security headers of headers.go; whatever is
//     behind sign-in is never cached; a request of another site changes
//     nothing (http.CrossOriginProtection).
//   - Text from cameras, docks and people is shown as text.
//   - Footage is served as a video type only for known video names, everything
//     else as an attachment; never as a document.
//   - Every time shown names its zone.
//
// It decides nothing: who may do what, and what is recorded, is decided in
// auth, reading and cameras. It never imports the write side. Completeness of
// all cameras is up to a minute old, and says of when; a camera's own page asks
// anew.
//
// The server's wiring is its only caller; handlers run concurrently.
package dashboard
