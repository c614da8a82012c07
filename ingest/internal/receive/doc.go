// Package receive is the server's ear: it takes docks' connections, speaks
// proto/upload with them, and hands what they send to an [Acceptor].
//
//	session   one connection: Hello within ten seconds, Welcome, then the
//	          control stream (inventories, releases, questions, status) and others
//	other     one stream, a recording's or a firmware image's by its first frame
//	recording one stream: Offer, then three stages side by side: reading
//	          frames, [Intake.Segment], [Intake.Sync] with its Ack; then
//	          [Intake.Finish] and the Receipt
//
// It promises that nothing is acknowledged before Intake.Sync has returned for
// it, that segments reach the Intake in order and each once, that whatever a
// dock sends costs bounded memory (frames draw on a budget per dock and a
// budget in all; flow control does the rest) and bounded time (deadlines), and
// that a dock is told what is wrong in the protocol's codes and never in words
// from inside the server.
//
// It judges nothing itself: identity beyond the certificate's names, manifests,
// hashes and receipts are the Acceptor's. It keeps in [Live], in memory only,
// what docks report and how transfers go, for the dashboard to show.
//
// The server's wiring is its only caller.
package receive
