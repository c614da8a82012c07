// Package lanes keeps the dock's connections to the server: how many, over
// what, how fast. It knows no message: what is said on a lane, and which bytes go
// next, is up to Options.Serve.
//
// # What it promises
//
//   - There is a lane whenever there can be one. QUIC is dialled first; when it
//     brings no welcome in 1.5 s, TLS over TCP is dialled beside it, and the first
//     that is welcomed is used. A lane whose server answers nothing for 1.5 s or
//     four round trips while it is sent to gets another beside it; whichever lives
//     is kept. Where UDP is blocked QUIC is tried again after half a minute, then
//     ever more seldom, up to every five minutes.
//   - One lane on a clean path. More while the path loses packets and more carry
//     more; above 300 Mbit/s, where the processor is the limit, TLS over TCP when a
//     lane of it carries clearly more than one of QUIC, else two when two carry
//     more. Each step is measured and taken back when it does not pay, and all is
//     looked at again every few minutes.
//   - All lanes together keep the limit within 3 % over any minute, as the network
//     counts: headers, acknowledgements and whatever is sent again with it.
//   - Never more than twice the connections that are wanted, and jittered pauses
//     between failures: a server that comes back is not met by all docks at once.
//   - When Run returns no lane, timer or goroutine is left.
//
// # What it does not promise
//
// A path whose queue is never short looks like one that loses packets to nobody:
// there the number of lanes stays as it is. Lanes that are silent for long end by
// the transport's own idle time. A write that the transport holds up is not ended
// by its context: the caller resets the stream.
//
// # How it decides
//
// One goroutine, the manager, looks at everything four times a second while there
// is something to send, else once (manage.go). It asks three parts that do no
// I/O and are told the time: watch says what a lane did between two looks, and
// whether its peer has fallen silent; route says which kind is dialled next; plan
// takes what a mix of lanes carried through a window and says the next mix.
//
// What is lost while the round trip is long is lost in a queue that we or others
// fill, and says nothing of the path; another lane there would only take from
// others. What is lost at a short round trip is the path's own doing: then every
// lane carries its share, whatever the others do, and more of them carry more.
//
// The limit (limit.go) charges each piece when it is handed to the transport
// with the least it can cost, and what the sessions counted beyond that as soon
// as it shows: the error never adds up.
//
// The upload is the only caller.
package lanes
