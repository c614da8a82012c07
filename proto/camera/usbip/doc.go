// Package usbip encodes and decodes the USB/IP protocol, version 1.1.1: the
// messages that list and import devices, and the commands that carry USB
// transfers (URBs) afterwards.
//
// It is a pure codec: byte slices in, values out, and back. It opens no socket
// and starts no goroutine, and all of its functions may be called concurrently.
// The camera simulator's device server and the dock agent's USB/IP client both
// build on it.
//
// A connection is used in one of two ways. In the first, the client sends one
// operation (OpHeader, then the operation's body) and the server answers it.
// After an import that succeeded the connection changes for good: from then on it
// carries commands and replies of exactly HeaderSize bytes, some followed by
// payload. All integers are big-endian except those of Setup, which is the eight
// bytes that USB itself puts on the wire.
//
// # Rules that the types cannot express
//
// Payload. A submit to an OUT endpoint is followed by Request.Length bytes; an IN
// submit by none. A reply to an IN submit is followed by Reply.Length bytes; a
// reply to an OUT submit by none, although its Length says how much was taken. The
// reply's own direction and endpoint fields are zero by custom, so the client has
// to remember what it asked (Reply.PayloadLength takes the direction).
//
// Unlink. A server answers an unlink with 0 only if the reply of the submit in
// question is on the wire already, and with StatusReset when it has cancelled the
// submit; then it must never send the submit's reply. Clients free the transfer
// when the unlink's reply arrives, and the Linux kernel drops the whole connection
// over a later reply that it cannot match.
//
// Errors. Reply.Status is a negated Linux errno on every platform.
//
// Isochronous transfers are refused: no camera function needs them.
//
// Source: Linux kernel, Documentation/usb/usbip_protocol.rst, and the observed
// behaviour of vhci_hcd and usbip-host 6.1.
package usbip
