package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	shutdown   = 0x8004587D // XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)
	noLogFlush = 2          // what is in the journal's memory is gone too
	diskSize   = 1 << 30
)

// disk is a file system in an image.
type disk struct {
	kind, image, at string
}

// newDisk makes a file system of a kind and mounts it.
func newDisk(ctx context.Context, dir, name, kind string) (*disk, error) {
	d := &disk{kind: kind, image: filepath.Join(dir, name+".img"), at: filepath.Join(dir, name)}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close(), os.MkdirAll(d.at, 0o700)); err != nil {
		return nil, err
	}
	make := []string{"mkfs.ext4", "-q", "-F", d.image}
	if kind == "xfs" {
		make = []string{"mkfs.xfs", "-q", d.image}
	}
	if err := call(ctx, make...); err != nil {
		return nil, err
	}
	return d, d.mount(ctx)
}

func call(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return nil
}

func (d *disk) mount(ctx context.Context) error {
	return call(ctx, "mount", "-t", d.kind, "-o", "loop", d.image, d.at)
}

// cut takes the power away.
func (d *disk) cut() error {
	f, err := os.Open(d.at)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush); err != nil {
		return fmt.Errorf("cutting the power of %s: %w", d.at, err)
	}
	return nil
}

// unmount waits for killed programs to let go.
func (d *disk) unmount(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := unix.Unmount(d.at, 0)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || tries == 100 {
			return fmt.Errorf("unmounting %s: %w", d.at, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// back gives the power back: the journal is replayed.
func (d *disk) back(ctx context.Context) error {
	if err := d.unmount(ctx); err != nil {
		return err
	}
	return d.mount(ctx)
}

// release unmounts the disk; its image stays.
func (d *disk) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return d.unmount(ctx)
}

// bites shows that a cut drops what was not synced and keeps what was.
func bites(ctx context.Context, dir, kind string) (err error) {
	const files = 50
	d, err := newDisk(ctx, dir, "bites-"+kind, kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.release(), os.Remove(d.image), os.Remove(d.at)) }()
	name := func(what string, n int) string { return filepath.Join(d.at, fmt.Sprintf("%s-%d", what, n)) }
	for n := range files {
		if err := write(name("synced", n), true); err != nil {
			return err
		}
	}
	for n := range files {
		if err := write(name("loose", n), false); err != nil {
			return err
		}
	}
	if err := errors.Join(d.cut(), d.back(ctx)); err != nil {
		return err
	}
	kept, lost := 0, 0
	for n := range files {
		if text, err := os.ReadFile(name("synced", n)); err == nil && string(text) == "content" {
			kept++
		}
		if text, err := os.ReadFile(name("loose", n)); err != nil || string(text) != "content" {
			lost++
		}
	}
	fmt.Printf("power-cuts: %s: the cut drops what was not synced: %d of %d files; keeps what was: %d of %d\n", kind, lost, files, kept, files)
	if kept != files || lost != files {
		return fmt.Errorf("%s: a cut that does not do that shows nothing", kind)
	}
	return nil
}

func write(path string, synced bool) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString("content")
	if err == nil && synced {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil || !synced {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
