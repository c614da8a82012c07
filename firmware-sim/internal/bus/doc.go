// Package bus makes USB devices out of software: a USB/IP device server that any
// USB/IP client can import from, the Linux kernel's among them, which then shows
// an ordinary device to every program of its machine.
//
// It plays the part of cable, host controller and USB device controller: the
// listing and import of devices, descriptors and standard requests, endpoints with
// their packet sizes, short and zero-length packets, stalls, and the cancelling of
// transfers. What the device does with its data is a [Function], which sees bulk
// transfers, events and class requests only.
//
// Promises:
//
//   - One host per device. Another import is answered "busy"; when the host's
//     connection ends, the function's Run has ended too before the device can be
//     imported again.
//   - A transfer is answered once. After a cancel that reported success the
//     transfer's own reply is never sent, and the data that it would have carried
//     is still there for the next transfer.
//   - Transfers of one endpoint end in the order in which they were submitted.
//   - What a peer announces is bounded before memory is spent: transfer length,
//     transfers and bytes in flight, connections, time for the first request.
//
// It has no encryption and no authentication, as USB/IP has none: listen on the
// loopback address or a unix socket.
//
// Callers: the simulator's wiring and tests.
package bus
