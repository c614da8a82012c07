// Package receive is the server's ear: it takes docks' connections, speaks
// proto/upload with them, and hands what they send to an [Acceptor].
//
//	session   one connection: Hello within ten seconds, Welcome, how to send
//	          ([Directions]), then the control stream (inventories, releases,
//	          questions, reports) and others
//	other     one stream, by its first frame a recording's, a stripe of one, or
//	          a firmware image's
//	recording one stream: Offer, carry; then [Intake.Finish] and the Receipt
//	stripe    one stream of a recording that a recording stream has opened, on
//	          any connection of its dock: Join, carry
//	carry     three stages side by side: reading frames, [Intake.Segment],
//	          [Intake.Sync] with its Ack
//	drain     the end: docks are told to leave, what is on its way is taken
//
// It promises that nothing is acknowledged before Intake.Sync has returned for
// it, that what was read whole reaches the Intake however its stream ends, that
// whatever a dock sends costs bounded memory (frames draw on a budget per dock
// and a budget in all; flow control does the rest) and bounded time (deadlines),
// and that a dock is told what is wrong in the protocol's codes and never in
// words from inside the server. A connection that is silent costs three
// goroutines and no buffer.
//
// It judges nothing itself: identity beyond the certificate's names, manifests,
// hashes and receipts are the Acceptor's, limits and order those of Directions.
// It keeps in [Live], in memory only, what docks report and how transfers go,
// for the dashboard to show.
//
// The server's wiring is its only caller.
package receive
