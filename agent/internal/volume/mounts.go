package volume

import (
	"bytes"
	"slices"
	"strings"
)

const maxMounts = 4 << 20 // bytes of a list of mounts

// mount is a line of a process's mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	number string // "major:minor"
	root   string // of the mount within its file system
	point  string
	kind   string // of file system
}

// parseMounts reads a mountinfo file; lines that are not understood are left out.
func parseMounts(text []byte) (list []mount) {
	for line := range bytes.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		fields, after := strings.Fields(head), strings.Fields(tail)
		if !ok || len(fields) < 6 || len(after) < 1 {
			continue
		}
		list = append(list, mount{number: fields[2], root: unescape(fields[3]), point: unescape(fields[4]), kind: after[0]})
	}
	return list
}

// unescape undoes the kernel's octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// ours says whether a mount is the machine's own: anything but a FAT or exFAT card
// where programs for desktops mount cards.
func (m mount) ours() bool {
	card := m.kind == "vfat" || m.kind == "msdos" || m.kind == "exfat"
	for _, place := range []string{"/media", "/run/media", "/mnt"} {
		if card && (m.point == place || strings.HasPrefix(m.point, place+"/")) {
			return false
		}
	}
	return true
}

// systemUse says in which way this machine itself uses a device; empty if it does not.
// swaps is /proc/swaps, data the device number of the agent's own data folder.
func (d *device) systemUse(mounts []mount, swaps []byte, data string) string {
	for _, k := range d.disks {
		if k.inUse {
			return "another device is built on it"
		}
		for _, b := range append(slices.Clone(k.partitions), k.block) {
			if b.number == data {
				return "the agent's own data folder is on it"
			}
			if slices.Contains(strings.Fields(string(swaps)), "/dev/"+b.name) {
				return "this machine swaps to it"
			}
			for _, m := range mounts {
				if m.number == b.number && m.ours() {
					return "it is mounted at " + m.point
				}
			}
		}
	}
	return ""
}
