// Package usb reaches cameras on this machine's own USB ports, through gousb and
// libusb. It is the agent's only package with cgo; built without cgo, or for
// another system than Linux, it finds no cameras and says so once.
//
// Bays are port paths as Linux writes them: bus, '-', and the ports from the root
// hub down, such as "1-2.3". Numbers that change with every plugging (device
// addresses) are not used.
//
// What is claimed is the first still image interface, or one of the maker's own kind
// that is named MTP, and never anything else of a device. A camera that somebody
// else holds is tried for two seconds; the error then names the program or the
// kernel's driver, and what to do.
//
// A scan reads sysfs. Where that is not enough, and for every open camera, there is
// a libusb context of its own: a long-lived context is blind to arrivals and
// departures where no udev runs, and one wedged camera must not hold up another.
// Package hotplug says when to scan.
//
// Limits of libusb that a caller may notice: a control transfer ends by its
// deadline but not by a cancelled context; a halted endpoint is cleared without the
// host controller's knowledge, so a camera that then still misbehaves needs Reset;
// closing takes about a tenth of a second.
//
// The daemon makes the Bus. Bus and Pipe are safe for concurrent use as
// package camera says.
package usb
