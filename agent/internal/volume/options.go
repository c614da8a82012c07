package volume

import "log/slog"

// Source is the camera.Location source of this package.
const Source = "storage"

// Options of New.
type Options struct {
	// Data is the agent's own data folder. The disk that it is on is never a camera.
	Data string
	// Imaging takes in devices that have a still image interface too. It is for an
	// agent without package usb; with it, such a device would be taken in twice.
	Imaging bool
	Log     *slog.Logger
}
