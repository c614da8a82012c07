// Package hotplug listens for devices that are plugged in and taken out, so that a
// camera is looked for when it comes and not at the next poll. It reads the
// kernel's uevents over netlink, and where udevd runs also those that udevd sends
// when it has set a device's access rights.
//
// What it gives are hints: "look again, something about USB or disks changed". A
// hint names no device, several events become one hint, and a hint may come when
// nothing changed. Whatever cannot be understood, was too long or was lost
// (ENOBUFS) becomes a hint too.
//
// What it does not promise: that every change gives a hint. The caller looks by
// itself every [Rescan], and at its own short interval while [Listener.Hears] is
// false: on systems without uevents, or where the socket is refused.
//
// Messages of programs other than the kernel and root's are dropped. A forged one
// could cause no more than a look, and looks are at least [Apart] apart.
//
// The daemon makes the one Listener. All methods are safe for concurrent use.
package hotplug
