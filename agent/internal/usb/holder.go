//go:build cgo && linux

package usb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/gousb"
)

const (
	procFolder = "/proc"
	maxHolders = 4  // programs that are named
	maxProgram = 32 // bytes of a program's name
)

// spot is one device as this machine's files show it.
type spot struct {
	node          string // such as /dev/bus/usb/001/004
	port          string
	configuration int
	number        int // of the interface
}

func nodeOf(d *gousb.DeviceDesc) string {
	return fmt.Sprintf("/dev/bus/usb/%03d/%03d", d.Bus, d.Address)
}

// explain says who keeps a device from being used, and what to do. Errors for other
// reasons stay as they are.
func (b *Bus) explain(at spot, err error) error {
	if err == nil || at.node == "" {
		return err
	}
	switch {
	case errors.Is(err, gousb.ErrorBusy):
		return fmt.Errorf("%s: %w", b.busy(at), err)
	case errors.Is(err, gousb.ErrorAccess):
		return fmt.Errorf("%s: %w", b.noAccess(at), err)
	}
	return err
}

// busy names the programs that have the device open, or else the kernel's driver.
func (b *Bus) busy(at spot) string {
	const again = "the camera is then taken by itself"
	holders := b.holders(at.node)
	driver := b.driver(at)
	switch {
	case len(holders) > 0:
		return fmt.Sprintf("%s; %s, %s", hold(holders), advice(holders), again)
	case driver != "" && driver != "usbfs":
		return fmt.Sprintf("the kernel's driver %s holds the camera; unbind it (echo %s:%d.%d > /sys/bus/usb/drivers/%s/unbind), %s",
			driver, at.port, at.configuration, at.number, driver, again)
	}
	return fmt.Sprintf("another program holds the camera and belongs to a user whose programs this one may not see; run \"fuser -v %s\" as root to learn which, end it, and %s", at.node, again)
}

// noAccess says what the rights of the device are.
func (b *Bus) noAccess(at spot) string {
	rights := ""
	if info, err := os.Stat(at.node); err == nil {
		rights = fmt.Sprintf(" (it has mode %04o", info.Mode().Perm())
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			rights += fmt.Sprintf(", user %d and group %d", owner.Uid, owner.Gid)
		}
		rights += fmt.Sprintf("; this program runs as user %d)", os.Geteuid())
	}
	text := fmt.Sprintf("this program may not use %s%s; run \"sealdock-agent install\" as root, which sets up the udev rules, then plug the camera in again", at.node, rights)
	if holders := b.holders(at.node); len(holders) > 0 {
		text += "; besides, " + hold(holders)
	}
	return text
}

// holder is a program that has a device open.
type holder struct {
	program string
	pid     int
}

func hold(holders []holder) string {
	names := make([]string, len(holders))
	for i, h := range holders {
		names[i] = fmt.Sprintf("%s (pid %d)", h.program, h.pid)
	}
	if len(names) == 1 {
		return names[0] + " holds the camera"
	}
	return strings.Join(names, ", ") + " hold the camera"
}

func advice(holders []holder) string {
	for _, h := range holders {
		if strings.HasPrefix(h.program, "gvfs") {
			return "a desktop's file manager took it: close it there, and run \"sealdock-agent install\" as root, whose udev rules keep desktops away from cameras"
		}
	}
	return "end it, or keep it from taking cameras"
}

// holders looks through the open files of every program that this one may look at.
func (b *Bus) holders(node string) []holder {
	var found []holder
	entries, err := os.ReadDir(b.proc)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 0 || pid == os.Getpid() || !b.hasOpen(e.Name(), node) {
			continue
		}
		found = append(found, holder{b.program(e.Name()), pid})
		if len(found) == maxHolders {
			break
		}
	}
	return found
}

func (b *Bus) hasOpen(pid, node string) bool {
	folder := filepath.Join(b.proc, pid, "fd")
	files, err := os.ReadDir(folder)
	if err != nil {
		return false // it ended, or belongs to somebody else
	}
	for _, f := range files {
		if target, err := os.Readlink(filepath.Join(folder, f.Name())); err == nil && target == node {
			return true
		}
	}
	return false
}

// program is a program's name, which it chooses itself.
func (b *Bus) program(pid string) string {
	name, err := os.ReadFile(filepath.Join(b.proc, pid, "comm"))
	text := strings.TrimSuffix(string(name), "\n")
	if err != nil || text == "" {
		return "a program"
	}
	quoted := strconv.QuoteToGraphic(text[:min(len(text), maxProgram)])
	return quoted[1 : len(quoted)-1]
}

// driver is the kernel driver that is bound to the interface, "" when there is none.
func (b *Bus) driver(at spot) string {
	target, err := os.Readlink(filepath.Join(b.sysfs, fmt.Sprintf("%s:%d.%d", at.port, at.configuration, at.number), "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}
