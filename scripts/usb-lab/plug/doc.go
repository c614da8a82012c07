// Command plug plugs cameras into the USB test guest and takes them out again,
// through QEMU's monitor, while the dock agent runs in the guest. It starts the
// guest (the command behind --), reads the agent's log from its standard output as
// it comes, and measures on the outside how long it takes from plug to docking. It
// fails when one plug takes longer than --within, when a departure is not noticed,
// or when the guest's own checks fail. With the word pull it only takes one device out
// of a guest that somebody else started.
package main
