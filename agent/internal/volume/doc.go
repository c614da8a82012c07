// Package volume is the door to cameras that are USB mass-storage devices: cards and
// memories that the kernel shows as disks. It implements camera.Door on Linux; built
// for another system it finds nothing and says so once.
//
// Which disk is in which bay comes from sysfs alone: the USB port path above the
// disk ("1-2.3"), never the order of names. All disks and partitions of one device
// are one camera. Left alone are disks that this machine itself uses, and devices
// that have a still image interface too: those are cameras of package usb.
//
// What is promised of the original:
//
//   - Before anything else the block device is made read-only (BLKROSET), so that
//     not even the kernel writes to it.
//   - Only FAT and exFAT are mounted, after a look of our own at the boot sector;
//     anything else is named and left alone. The mount is read-only, nosuid, nodev,
//     noexec and nosymfollow, and has no place in the file tree: it is reached through one
//     file descriptor and ends with it, so a killed agent leaves none behind.
//   - Files are opened step by step beneath the mount's root, through no symbolic link
//     and into no other mount. Depth, number and lengths are bounded.
//   - The only act that writes is Delete. It makes the device writable, unlinks,
//     and the next call of another kind syncs and makes it read-only again. A volume that
//     is marked as not cleanly closed or as faulty, one that another program has
//     mounted too, and one with its write protection on are never written to.
//   - A second reading comes from the device: at the start of every reading the kernel's
//     cached pages of the file are dropped (POSIX_FADV_DONTNEED), and behind the reading
//     position they are dropped as it goes. What a card's own controller remembers is out of reach.
//
// Every regular file is a recording, sidecars and hash lists too. Folders that
// operating systems leave on a card are left out only when all that is in them is known to be
// theirs. Recovered fragments (FOUND.000) and bins are taken in.
//
// Times are the card's own numbers. FAT has no zone. The kernel turns exFAT times
// that name their zone into UTC and does not say which did; they stand as it gives them.
//
// A call returns when its context ends, also while the device hangs; the hanging
// question is then waited for by the next call. Mounting needs CAP_SYS_ADMIN and
// Linux 5.12; the modules vfat and exfat have to be there.
package volume
