// Package camera reads body cameras that are docked to this machine. It declares
// what a kind of cameras looks like ([Door], [Link]), and is itself the door to
// those that speak PTP and MTP ([Over]): [Dial] over any [Pipe] of a [Bus], which packages
// usb and usbip implement. Package volume is the door to mass storage.
//
// The life of a docking over PTP:
//
//  1. Bus.Devices names the cameras, each by its bay.
//  2. Bus.Open gives a Pipe: bulk, control and interrupt transfers.
//  3. Dial opens a session, whatever state the last host left the camera in.
//  4. Link.Identity says who the camera claims to be.
//  5. Link.List walks every storage. Nothing that a camera names is left out: what
//     cannot be read becomes a Warning.
//  6. Link.ReadAt reads windows of an object straight into the caller's memory.
//  7. Link.Delete removes one object, after the caller holds a valid receipt.
//
// What it promises: bytes come from the object that was listed. A handle is
// compared with its object again when the session changed since, and always
// before a delete, so a camera that renumbers its objects cannot make one
// recording's bytes or deletion pass as another's. They are all bytes that the
// camera delivers, also where it lists fewer: a read goes on until the camera has
// no more, and a refusal in front of the listed end is an error. A transaction that
// went wrong in any way is cancelled, drained and begun anew before the next one,
// and reads are repeated once after that. Nothing that a camera says makes it
// panic, wait without end or take memory beyond stated limits.
//
// Each step waits for the camera as seldom as it can: over a pipe that is an
// [Exchanger], once for a description, a size, a short read or a delete, and twice for
// each window of a long read.
//
// What it does not promise: that the camera tells the truth about itself, or reads
// the same twice. The caller hashes and compares.
//
// Callers are offload and daemon. A Link is for one goroutine at a time.
package camera
