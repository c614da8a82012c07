// Package webhook tells systems outside of custody events, as Standard Webhooks
// (standardwebhooks.com, specification 1.0.0) says: signed, over HTTPS, to addresses
// that an administrator has named.
//
// # The life of a message
//
//  1. An event gets its place in the custody log and is under a signed checkpoint.
//  2. Each webhook has one number in the catalog: the index in the log that it looks at
//     next. A process takes the webhook's lease and walks on from there.
//  3. An event of a type that is wanted becomes a message. Its id is made of the event's
//     entry in the log, so it is the same at each attempt, and after each restart.
//  4. It is signed with the webhook's secret, and for a day after a rotation with the
//     former one too, and posted.
//  5. Taken (2xx): in one transaction the delivery is kept and the number moves on.
//     Not taken: the delivery is kept, and the same message is tried again later.
//
// # What it promises
//
// Each event of a wanted type, from when the webhook was made, arrives at least once and
// in the order of the log; what is sent twice has the same id. A crash at any point
// repeats one message at most. A receiver that is down holds up nobody but itself: after
// three days it is disabled with an alarm, and enabled again it goes on where it stood.
//
// A message names what happened, when, to what, and by whom, by ids alone: no names, no
// addresses, no footage. Nothing is sent to an address that is not public, unless the
// agency has let its network in; that is decided when the connection is made, by the
// address that the name had then.
//
// # What it does not promise
//
// It does not wait for anybody: no act depends on a receiver. It cannot know what a
// receiver did with what it took.
//
// api and dashboard call For, the server's wiring Run. Safe for concurrent use.
package webhook
