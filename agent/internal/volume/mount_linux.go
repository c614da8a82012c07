package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// closed is how every mount is: nothing on it is written, run, or followed.
const closed = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOATIME | unix.MOUNT_ATTR_NOSYMFOLLOW

// maxKernelWords bounds what is taken of the kernel's own words about a mount.
const maxKernelWords = 512 // bytes

// mounted is a block with a mount of our own. It implements medium.
type mounted struct {
	placed
	system fileSystem
	node   *os.File // the block device
	mount  *os.File // the mount, which ends when this is closed
	root   *os.File // its root folder, for reading
	device uint64   // number of the file system's device
	shared string   // who else has it mounted; empty: nobody
	found  int      // the block device's write protection before us
}

// mount makes a block read-only, looks at it and mounts it.
func (d *Door) mount(b placed) (m *mounted, err error) {
	m = &mounted{placed: b}
	if m.node, err = d.openNode(b); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	m.shared = d.others(b.number)
	if m.shared == "" { // else the other one would get errors
		if m.found, err = unix.IoctlGetInt(int(m.node.Fd()), unix.BLKROGET); err != nil {
			return m, fmt.Errorf("asking for the write protection of %s: %w", m.name, explain(err))
		}
		if err := m.protect(true); err != nil {
			return m, err
		}
	}
	if m.system, err = identify(m.node); err != nil {
		return m, err
	}
	if err := d.attach(m); err != nil {
		return m, err
	}
	return m, m.enter()
}

// attach makes the mount: a new one, or a closed view of one that is there already.
func (d *Door) attach(m *mounted) error {
	fd, err := newMount(m.system.driver, filepath.Join(d.dev, m.name))
	if errors.Is(err, unix.EBUSY) {
		return d.view(m)
	}
	if err != nil {
		return err
	}
	m.mount = os.NewFile(uintptr(fd), "mount of "+m.name)
	return nil
}

// newMount mounts a block device without a place in the file tree. Names come as
// UTF-8, times as the card's own numbers; letter case counts where FAT's driver can
// do that, so that two names that differ in case alone are two files.
func newMount(driver, node string) (int, error) {
	context, err := unix.Fsopen(driver, unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENODEV) {
		return -1, fmt.Errorf("this kernel cannot read it: its module %s is missing (modprobe %s): %w", driver, driver, err)
	}
	if err != nil {
		return -1, explain(err)
	}
	defer unix.Close(context) //nolint:errcheck // nothing is kept in it
	options := [][2]string{{"source", node}, {"errors", "remount-ro"}, {"umask", "0077"}, {"time_offset", "0"}}
	if driver == "vfat" {
		options = append(options, [2]string{"utf8", "1"}, [2]string{"check", "strict"})
	} else {
		options = append(options, [2]string{"iocharset", "utf8"})
	}
	for _, o := range options {
		if err := unix.FsconfigSetString(context, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("mounting with %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigSetFlag(context, "ro"); err != nil {
		return -1, fmt.Errorf("mounting read-only: %w", err)
	}
	if err := unix.FsconfigCreate(context); err != nil {
		words := kernelWords(context)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIO) {
			return -1, fmt.Errorf("the kernel does not mount it%s; its log says why (dmesg). If a character set is missing there, load the kernel's module nls_cp437. Otherwise the file system is damaged: keep the card as it is and have it recovered from an image: %w", words, err)
		}
		return -1, fmt.Errorf("mounting%s: %w", words, explain(err))
	}
	fd, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, closed)
	if err != nil {
		return -1, fmt.Errorf("mounting: %w", explain(err))
	}
	return fd, nil
}

// kernelWords is what the kernel says about a mount that failed, where it says it there.
func kernelWords(context int) string {
	words := make([]byte, maxKernelWords)
	n, err := unix.Read(context, words)
	if err != nil || n <= 0 {
		return ""
	}
	return " (" + plain(string(words[:n])) + ")"
}

// view makes a closed view of a mount that another program made for writing.
func (d *Door) view(m *mounted) error {
	mounts := d.mounts()
	i := slices.IndexFunc(mounts, func(o mount) bool { return o.number == m.number && o.root == "/" })
	if i < 0 {
		who := m.shared
		if who == "" {
			who = "a program that cannot be seen"
		}
		return fmt.Errorf("another program has it mounted for writing: %s. Unmount it there, and keep desktops from mounting cameras (the udev rule of this program does that)", who)
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, mounts[i].point, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("another program has it mounted at %s, and it cannot be read there: %w. Unmount it", mounts[i].point, explain(err))
	}
	m.mount = os.NewFile(uintptr(fd), "view of "+mounts[i].point)
	if m.shared == "" {
		m.shared = mounts[i].point
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: closed, Attr_clr: unix.MOUNT_ATTR__ATIME}); err != nil {
		return fmt.Errorf("closing a view of %s: %w", mounts[i].point, explain(err))
	}
	return nil
}

// enter opens the mount's root and makes sure that it is this block's.
func (m *mounted) enter() error {
	fd, err := unix.Openat(int(m.mount.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening its root folder: %w", err)
	}
	m.root = os.NewFile(uintptr(fd), "root of "+m.name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("looking at its root folder: %w", err)
	}
	if m.device = st.Dev; number(st.Dev) != m.number || !m.present() {
		return fmt.Errorf("%w: another disk took its place while it was mounted", camera.ErrGone)
	}
	return nil
}

// protect sets or clears the kernel's own write protection of the block device.
func (m *mounted) protect(on bool) error {
	value := 0
	if on {
		value = 1
	}
	if err := unix.IoctlSetPointerInt(int(m.node.Fd()), unix.BLKROSET, value); err != nil {
		return fmt.Errorf("setting the write protection of %s: %w", m.name, explain(err))
	}
	return nil
}

// present says whether the block is still the one that was mounted: its place in
// sysfs holds the number of its host, which is another one after every plugging.
func (m *mounted) present() bool {
	now, err := filepath.EvalSymlinks(filepath.Join(m.class(), m.name))
	return err == nil && now == m.path
}

// class is sysfs's folder of all block devices, above where the block itself is.
func (m *mounted) class() string {
	top, _, _ := strings.Cut(m.path, "/devices/")
	return filepath.Join(top, "class", "block")
}

// inserted says whether the medium is still in a device that takes media out.
func (m *mounted) inserted() bool {
	if !m.disk.removable {
		return true
	}
	f, err := os.OpenFile(m.node.Name(), os.O_RDONLY|unix.O_CLOEXEC, 0) // opening asks the device
	if err != nil {
		return !errors.Is(err, unix.ENOMEDIUM) && !errors.Is(err, unix.ENXIO)
	}
	return f.Close() == nil
}

// writable implements medium.
func (m *mounted) writable() error {
	if m.shared != "" {
		return fmt.Errorf("another program has the card mounted too (%s)", m.shared)
	}
	now, err := identify(m.node)
	switch {
	case err != nil:
		return err
	case now.faulty:
		return errors.New("its file system is marked as having had read or write errors; have the card looked at")
	case now.dirty:
		return errors.New("its file system is marked as not cleanly closed, so that erasing could damage it; check it with fsck, or format the card in the camera once all is safe")
	}
	if err := m.protect(false); err != nil {
		return err
	}
	if on, err := unix.IoctlGetInt(int(m.node.Fd()), unix.BLKROGET); err != nil || on != 0 {
		return errors.Join(errors.New("its write protection is on (a switch on the card, or the camera itself)"), err, m.protect(true))
	}
	err = unix.MountSetattr(int(m.mount.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
	if err == nil {
		err = m.reconfigure("rw")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("making it writable: %w", err), m.readOnly())
	}
	return nil
}

// readOnly implements medium.
func (m *mounted) readOnly() error {
	var failed []error
	for _, step := range []struct {
		what string
		run  func() error
	}{
		{"writing the file system to the card", func() error { return unix.Syncfs(int(m.root.Fd())) }},
		{"making the file system read-only", func() error { return m.reconfigure("ro") }},
		{"making the mount read-only", func() error {
			return unix.MountSetattr(int(m.mount.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
		}},
		{"protecting the device", func() error { return m.protect(true) }},
		// What is listed next comes from the card, not from memory.
		{"dropping what is cached of the card", func() error { return unix.IoctlSetInt(int(m.node.Fd()), unix.BLKFLSBUF, 0) }},
	} {
		if err := step.run(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.what, err))
		}
	}
	return errors.Join(failed...)
}

// reconfigure remounts the file system "ro" or "rw".
func (m *mounted) reconfigure(how string) error {
	context, err := unix.Fspick(int(m.mount.Fd()), "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(context) //nolint:errcheck // nothing is kept in it
	if err := unix.FsconfigSetFlag(context, how); err != nil {
		return err
	}
	return unix.FsconfigReconfigure(context)
}

// close implements medium. The block device's write protection becomes what it was
// before; where that cannot be had, it stays on until the next plugging.
func (m *mounted) close() error {
	var failed []error
	for _, f := range []*os.File{m.root, m.mount} {
		if f != nil {
			failed = append(failed, f.Close())
		}
	}
	if m.node == nil {
		return errors.Join(failed...)
	}
	if m.shared == "" && m.found == 0 && m.present() {
		failed = append(failed, m.protect(false))
	}
	return errors.Join(append(failed, m.node.Close())...)
}
