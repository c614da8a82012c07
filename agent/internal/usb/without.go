//go:build !cgo || !linux

package usb

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// Source is the camera.Location source of this package.
const Source = "usb"

// Bus finds no cameras: this program was built without USB.
type Bus struct {
	log  *slog.Logger
	once sync.Once
}

// New returns a bus without devices.
func New(log *slog.Logger) *Bus { return &Bus{log: log.With("component", "usb")} }

// Devices implements camera.Bus.
func (b *Bus) Devices(context.Context) ([]camera.Location, error) {
	b.once.Do(func() {
		b.log.Warn("this program was built without USB; cameras are found over USB/IP only (build it on Linux with cgo and libusb-1.0)")
	})
	return nil, nil
}

// Open implements camera.Bus.
func (b *Bus) Open(context.Context, camera.Location) (camera.Pipe, error) {
	return nil, errors.New("this program was built without USB")
}
