//go:build !linux

package volume

import (
	"context"
	"errors"
	"sync"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// Door finds no cameras: this program was built for another system than Linux.
type Door struct {
	options Options
	once    sync.Once
}

// New returns a door without devices.
func New(options Options) *Door { return &Door{options: options} }

// Devices implements camera.Door.
func (d *Door) Devices(context.Context) ([]camera.Location, error) {
	d.once.Do(func() {
		d.options.Log.Warn("mass-storage cameras are read on Linux only; cameras that speak PTP are not concerned", "component", Source)
	})
	return nil, nil
}

// Open implements camera.Door.
func (d *Door) Open(context.Context, camera.Location) (camera.Link, error) {
	return nil, errors.New("mass-storage cameras are read on Linux only")
}
