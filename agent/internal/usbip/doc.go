// Package usbip reaches cameras over USB/IP without any kernel USB: it is the
// client of a USB/IP device server (version 1.1.1), on TCP or a unix socket, and
// gives each exported camera as a camera.Pipe with the descriptors, transfers,
// short packets and stalls that a USB bus would show.
//
// One connection carries one camera. Bulk reads keep several transfers in flight, and
// a command goes out together with the reads of its answer ([camera.Exchanger]).
// A context that ends cancels its transfers with an unlink; bytes of a transfer that
// completed before the unlink took effect are kept for the next read. When the
// connection ends, the camera counts as unplugged: every call fails with
// camera.ErrGone.
//
// USB/IP knows neither encryption nor authentication, and the server can claim
// anything; all that it sends is bounded and checked. Use unix sockets and loopback, or a
// tunnel that authenticates both ends.
//
// The daemon makes the Bus. Bus and Pipe are safe for concurrent use as
// package camera says.
package usbip
