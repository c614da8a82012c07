package volume

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

const (
	maxAttribute   = 4096     // bytes of a sysfs attribute
	maxDescriptors = 64 << 10 // bytes of a device's USB descriptors
	maxPartitions  = 64       // that are looked at, of one device
)

// disk is one block device of a USB device: a whole disk.
type disk struct {
	block
	lun        int
	removable  bool // it takes media out and in
	partitions []block
	inUse      bool // by the device mapper, RAID and the like
}

// block is a disk or partition as the kernel shows it.
type block struct {
	name   string // of the device node
	number string // "major:minor"
	path   string // in sysfs; another one after every plugging
	part   int    // partition number, 0 for a whole disk
	size   uint64 // bytes, 0 without a medium
}

// device is a USB device with disks, in one bay.
type device struct {
	port    string // "1-2.3"
	path    string // in sysfs
	disks   []disk // by LUN
	imaging bool   // it has a still image interface that package usb can use
	fixed   bool   // it is built into this machine
}

var (
	usbInterface = regexp.MustCompile(`^(\d+-\d+(?:\.\d+)*):\d+\.\d+$`)
	scsiAddress  = regexp.MustCompile(`^\d+:\d+:\d+:(\d+)$`)
)

// scan finds all USB devices with disks, by port.
func scan(sysfs string) ([]device, error) {
	entries, err := os.ReadDir(filepath.Join(sysfs, "block"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]*device{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "sr") { // discs are no cameras
			continue
		}
		path, err := filepath.EvalSymlinks(filepath.Join(sysfs, "block", e.Name()))
		if err != nil {
			continue // it went away while we looked
		}
		port, above, lun := ancestor(path)
		if port == "" {
			continue
		}
		d := found[above]
		if d == nil {
			d = &device{port: port, path: above, fixed: attribute(above, "removable") == "fixed", imaging: imaging(bounded(filepath.Join(above, "descriptors"), maxDescriptors))}
			found[above] = d
		}
		d.disks = append(d.disks, readDisk(path, lun))
	}
	var list []device
	for _, d := range found {
		slices.SortFunc(d.disks, func(a, b disk) int { return a.lun - b.lun })
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b device) int { return strings.Compare(a.port, b.port) })
	return list, nil
}

// ancestor finds the USB device above a disk: its port, its folder, and the disk's
// LUN in it. port is empty for a disk that is not on USB.
func ancestor(path string) (port, above string, lun int) {
	for dir := path; len(dir) > 1; dir = filepath.Dir(dir) {
		base := filepath.Base(dir)
		if m := scsiAddress.FindStringSubmatch(base); m != nil {
			lun, _ = strconv.Atoi(m[1])
		}
		if m := usbInterface.FindStringSubmatch(base); m != nil {
			return m[1], filepath.Dir(dir), lun
		}
	}
	return "", "", 0
}

func readDisk(path string, lun int) disk {
	d := disk{block: readBlock(path), lun: lun, removable: attribute(path, "removable") == "1"}
	entries, _ := os.ReadDir(path)
	holders := []string{path}
	for _, e := range entries {
		inside := filepath.Join(path, e.Name())
		if !e.IsDir() || attribute(inside, "partition") == "" || len(d.partitions) == maxPartitions {
			continue
		}
		d.partitions = append(d.partitions, readBlock(inside))
		holders = append(holders, inside)
	}
	slices.SortFunc(d.partitions, func(a, b block) int { return a.part - b.part })
	for _, h := range holders {
		held, _ := os.ReadDir(filepath.Join(h, "holders"))
		d.inUse = d.inUse || len(held) > 0
	}
	return d
}

func readBlock(path string) block {
	b := block{name: filepath.Base(path), number: attribute(path, "dev"), path: path}
	b.part, _ = strconv.Atoi(attribute(path, "partition"))
	sectors, _ := strconv.ParseUint(attribute(path, "size"), 10, 54)
	b.size = sectors * 512 // always that unit, whatever the device's own
	return b
}

// blocks are the places of a device where a file system may be: the partitions of
// each disk, or the disk itself when it has none.
func (d *device) blocks() (all []placed) {
	for _, k := range d.disks {
		for _, p := range k.partitions {
			all = append(all, placed{block: p, disk: k})
		}
		if len(k.partitions) == 0 {
			all = append(all, placed{block: k.block, disk: k})
		}
	}
	return all[:min(len(all), maxPartitions)]
}

// placed is a block with the disk that it is on.
type placed struct {
	block
	disk disk
}

// id is how the camera's storage is called, in the form of PTP's storage ids: which
// unit in the high half, which partition in the low half.
func (p placed) id() uint32 { return uint32(p.disk.lun+1)<<16 | uint32(p.part) }

// medium says whether any disk of the device has a medium.
func (d *device) medium() bool {
	return slices.ContainsFunc(d.disks, func(k disk) bool { return k.size > 0 })
}

func attribute(dir, name string) string {
	return strings.TrimSpace(string(bounded(filepath.Join(dir, name), maxAttribute)))
}

// bounded reads a file's first bytes; none when it cannot be read.
func bounded(path string, limit int) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()                                     //nolint:errcheck // it was only read
	p, _ := io.ReadAll(io.LimitReader(f, int64(limit))) // an attribute of a device that leaves ends early
	return p
}

// imaging says whether USB descriptors (USB 2.0 section 9.6) have, in any configuration, a
// still image interface with the bulk endpoints that package usb asks for.
func imaging(descriptors []byte) bool {
	const interfaceType, endpointType, bulk = 4, 5, 2
	still, in, out := false, false, false
	for p := descriptors; len(p) >= 2 && int(p[0]) >= 2 && int(p[0]) <= len(p); p = p[p[0]:] {
		switch {
		case p[1] == interfaceType && p[0] >= 9:
			still = p[5] == ptp.InterfaceClass && p[6] == ptp.InterfaceSubClass && p[7] == ptp.InterfaceProtocol
			in, out = false, false
		case p[1] == endpointType && p[0] >= 7 && p[3]&3 == bulk:
			in, out = in || p[2]&0x80 != 0, out || p[2]&0x80 == 0
		}
		if still && in && out {
			return true
		}
	}
	return false
}
