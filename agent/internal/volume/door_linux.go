package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	nodeTime  = 2 * time.Second // udev makes or changes a device node a moment after the disk appears
	nodePause = 50 * time.Millisecond
)

// Door finds mass-storage cameras on this machine's USB ports. It implements camera.Door.
type Door struct {
	options Options
	sysfs   string
	proc    string
	dev     string

	mu   sync.Mutex      // guards told
	told map[string]bool // what was said of devices that are left alone
}

// New returns the machine's mass storage.
func New(options Options) *Door {
	options.Log = options.Log.With("component", Source)
	return &Door{options: options, sysfs: "/sys", proc: "/proc", dev: "/dev", told: map[string]bool{}}
}

// Devices implements camera.Door.
func (d *Door) Devices(ctx context.Context) ([]camera.Location, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scanning disks: %w", err)
	}
	devices, err := scan(d.sysfs)
	if err != nil {
		return nil, fmt.Errorf("scanning disks: %w", err)
	}
	mounts, swaps := d.mounts(), d.swaps()
	var list []camera.Location
	left := map[string]bool{}
	for _, v := range devices {
		use := v.systemUse(mounts, swaps, d.data())
		switch {
		case use != "":
			left[fmt.Sprintf("the disk at USB port %s is taken for this machine's own and left alone: %s", v.port, use)] = true
		case v.imaging && !d.options.Imaging: // package usb has it
		case !v.medium() && v.fixed: // an empty reader that is built in
		default:
			list = append(list, camera.Location{Source: Source, Port: v.port})
		}
	}
	d.tell(left)
	return list, nil
}

// tell logs what is new.
func (d *Door) tell(left map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for what := range left {
		if !d.told[what] {
			d.options.Log.Warn(what)
		}
	}
	d.told = left
}

func (d *Door) mounts() []mount {
	return parseMounts(bounded(filepath.Join(d.proc, "self/mountinfo"), maxMounts))
}

func (d *Door) swaps() []byte { return bounded(filepath.Join(d.proc, "swaps"), maxAttribute) }

// data is the device number of the agent's own data folder.
func (d *Door) data() string {
	var st unix.Stat_t
	if d.options.Data == "" || unix.Stat(d.options.Data, &st) != nil {
		return ""
	}
	return number(st.Dev)
}

func number(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }

// Open implements camera.Door. It mounts all that can be mounted of the device; the
// rest is a warning of the listing, or the error when there is nothing else.
func (d *Door) Open(ctx context.Context, at camera.Location) (camera.Link, error) {
	devices, err := scan(d.sysfs)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", at, err)
	}
	i := slices.IndexFunc(devices, func(v device) bool { return v.port == at.Port })
	if i < 0 {
		return nil, fmt.Errorf("opening %s: %w: there is no disk in this bay", at, camera.ErrGone)
	}
	v := devices[i]
	if use := v.systemUse(d.mounts(), d.swaps(), d.data()); use != "" {
		return nil, fmt.Errorf("opening %s: the disk is this machine's own: %s", at, use)
	}
	if !v.medium() {
		return nil, fmt.Errorf("opening %s: the device shows no card. If it is a card reader, put the card in; if it is a camera, see that it has a card and is unlocked", at)
	}
	l := newLink(at.Port, identityOf(&v), d.options.Log)
	done := make(chan error, 1)
	go func() { done <- d.mountAll(&v, l) }()
	select {
	case err := <-done:
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", at, errors.Join(err, l.Close()))
		}
		return l, nil
	case <-ctx.Done():
		go func() { // the device hangs; whatever it still gives is put away
			<-done
			_ = l.Close()
		}()
		return nil, fmt.Errorf("opening %s: %w", at, ctx.Err())
	}
}

// mountAll mounts each block of the device and gives the link its storages.
func (d *Door) mountAll(v *device, l *link) error {
	var failed []error
	for i, b := range v.blocks() {
		if b.size == 0 {
			continue
		}
		what := "the card"
		if b.part > 0 {
			what = fmt.Sprintf("partition %d of the card", b.part)
		}
		m, err := d.mount(b)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s (%s): %w", what, b.name, err))
			l.miss("%s is NOT taken in: %v", what, err)
			continue
		}
		prefix := ""
		if i > 0 {
			prefix = fmt.Sprintf("storage-%08x", b.id())
		}
		l.add(&storage{id: b.id(), prefix: prefix, root: m.root, number: m.device, capacity: b.size, medium: m})
		l.describe(what, m)
	}
	if len(l.storages) == 0 {
		return errors.Join(failed...)
	}
	return nil
}

// openNode opens a block's device node and makes sure that it is that block's.
func (d *Door) openNode(b placed) (*os.File, error) {
	path := filepath.Join(d.dev, b.name)
	deadline := time.Now().Add(nodeTime)
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err == nil {
			if err := isNode(f, b.number); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return f, nil
		}
		wait := errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)
		if !wait || time.Now().After(deadline) {
			return nil, explain(err)
		}
		<-time.After(nodePause)
	}
}

func isNode(f *os.File, want string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK || number(st.Rdev) != want {
		return fmt.Errorf("%w: %s is not the disk that the kernel shows in this bay", camera.ErrGone, f.Name())
	}
	return nil
}

// explain says what to do about the errors of this machine.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("this program may not open or mount disks: run it as the service that \"sealdock-agent install\" sets up, or give it CAP_SYS_ADMIN and read access to the disk: %w", err)
	case errors.Is(err, unix.ENOMEDIUM):
		return fmt.Errorf("there is no card in it: %w", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("this kernel is too old to mount without a place in the file tree: Linux 5.12 is needed: %w", err)
	}
	return err
}

// identityOf is what sysfs says of a device.
func identityOf(v *device) camera.Identity {
	id := camera.Identity{
		Serial: plain(attribute(v.path, "serial")), Vendor: plain(attribute(v.path, "manufacturer")), Model: plain(attribute(v.path, "product")),
		Firmware: plain(attribute(v.path, "bcdDevice")), Battery: -1,
	}
	if id.Vendor == "" {
		id.Vendor = plain("USB vendor " + attribute(v.path, "idVendor"))
	}
	if id.Model == "" {
		id.Model = plain("USB product " + attribute(v.path, "idProduct"))
	}
	return id
}

// others says where a file system is mounted by others, and who sees it there. Our
// own mounts have no place and are in nobody's list.
func (d *Door) others(number string) string {
	const most = 3
	entries, _ := os.ReadDir(d.proc)
	var points, who []string
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		for _, m := range parseMounts(bounded(filepath.Join(d.proc, e.Name(), "mountinfo"), maxMounts)) {
			if m.number == number && !slices.Contains(points, m.point) && len(points) < most {
				points = append(points, m.point)
				who = append(who, fmt.Sprintf("at %s, seen by process %s, %s", m.point, e.Name(), plain(attribute(filepath.Join(d.proc, e.Name()), "comm"))))
			}
		}
	}
	return strings.Join(who, "; ")
}
