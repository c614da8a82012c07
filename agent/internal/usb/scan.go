//go:build cgo && linux

package usb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Devices implements camera.Bus. What the kernel shows in sysfs is looked at first,
// which takes milliseconds; libusb, which takes a fifth of a second, is asked only
// when a device is there that the kernel gave no configuration. A machine without
// USB is reported once in the log and has no cameras.
func (b *Bus) Devices(ctx context.Context) ([]camera.Location, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scanning USB: %w", err)
	}
	entries, err := os.ReadDir(b.sysfs)
	if len(entries) == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		b.tell("this machine has no USB bus; cameras are found over USB/IP only")
		return nil, nil
	}
	if list, complete := b.inSysfs(entries); complete && err == nil {
		b.tell("")
		return list, nil
	}
	return b.askLibusb()
}

// inSysfs lists the devices with a camera's interface. It is not complete when the
// kernel does not show the interfaces of a device, because it has no configuration.
func (b *Bus) inSysfs(entries []os.DirEntry) (list []camera.Location, complete bool) {
	last := ""
	for _, e := range entries { // sorted, so that a device's interfaces follow each other
		port, rest, isInterface := strings.Cut(e.Name(), ":")
		if !strings.Contains(port, "-") {
			continue // a root hub
		}
		if !isInterface {
			value, err := b.attribute(e.Name(), "bConfigurationValue")
			if err == nil && (value == "" || value == "0") || err != nil && !left(err) {
				return nil, false
			}
			continue
		}
		if port != last && b.isCamera(e.Name(), rest) {
			list = append(list, camera.Location{Source: Source, Port: port})
			last = port
		}
	}
	return list, true
}

// left says whether a device went away while it was looked at.
func left(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// isCamera judges an interface by its class and number of endpoints; what it really
// has is seen when it is opened.
func (b *Bus) isCamera(name, numbers string) bool {
	var v [4]uint64
	for i, attribute := range []string{"bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol", "bNumEndpoints"} {
		text, err := b.attribute(name, attribute)
		if err != nil {
			return false
		}
		if v[i], err = strconv.ParseUint(text, 16, 8); err != nil {
			return false
		}
	}
	class := [3]uint8{uint8(v[0]), uint8(v[1]), uint8(v[2])}
	if v[3] < 2 {
		return false
	}
	if class == [3]uint8{ptp.InterfaceClass, ptp.InterfaceSubClass, ptp.InterfaceProtocol} {
		return true
	}
	var configuration, number int
	if n, err := fmt.Sscanf(numbers, "%d.%d", &configuration, &number); n != 2 || err != nil {
		return false
	}
	return class == [3]uint8{0xff, 0xff, 0} && b.namedIn(strings.TrimSuffix(name, ":"+numbers))(configuration, number)
}

// attribute reads a short file of sysfs.
func (b *Bus) attribute(device, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.sysfs, device, name))
	return strings.TrimSpace(string(text)), err
}

// askLibusb lists the cameras in all configurations of all devices.
func (b *Bus) askLibusb() ([]camera.Location, error) {
	context, err := b.context()
	if err != nil {
		b.tell("this machine's USB cannot be used; cameras are found over USB/IP only: " + err.Error())
		return nil, nil
	}
	var list []camera.Location
	devices, err := context.OpenDevices(func(d *gousb.DeviceDesc) bool {
		if _, found := b.finder(d).find(0); len(d.Path) > 0 && found == nil {
			list = append(list, camera.Location{Source: Source, Port: portPath(d)})
		}
		return false
	})
	for _, d := range devices { // none: nothing was chosen to be opened
		err = errors.Join(err, d.Close())
	}
	if err != nil {
		b.tell("a USB device could not be looked at: " + err.Error())
	} else {
		b.tell("")
	}
	if err := b.end(context); err != nil {
		return list, fmt.Errorf("scanning USB: %w", err)
	}
	return list, nil
}
