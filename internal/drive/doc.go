// Package drive knows how sealed recordings lie on a drive that is carried from
// a dock to the server by hand, and how to look at such a drive without trusting
// it.
//
// # Layout, below the folder that the operator names
//
//	sealdock_AGENCY_DOCK/           one folder for each dock
//	  index.json                    signed index (evidence.Carriage), written last
//	  pages/SHA256.json             its pages (evidence.CarriagePage), named by their hash
//	  recordings/ID-N.offer         attempt N of item ID: the Offer frame of proto/upload,
//	                                with manifest, wrapped key, seal header and leaves
//	  recordings/ID-N-P.floe        its sealed bytes as they lie in the spool, from byte 0,
//	                                in parts of PartSegments segments
//	  statements/SHA256.json        signed inventories and releases that wait
//	  receipts/ID-N.json            the server's receipts, written by the server
//	  SHA256SUMS                    for sha256sum -c, by people
//	  lock                          held while a program writes here
//
// Names are lower-case letters, digits, '-', '_' and '.', and no two differ in case
// only. No file is longer than about 1 GiB. So FAT32 and exFAT take them.
//
// # What it promises
//
// A Folder reads ordinary files below its own folder only, never more than it
// was asked for, and follows no link out of it. A file that has its final name
// was whole and flushed when it got it.
//
// # What it does not promise
//
// It verifies no signature and no seal: the server's custody does, and the dock
// for receipts.
//
// Callers are the carry rooms of both programs.
package drive
