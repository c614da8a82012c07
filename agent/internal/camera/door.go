package camera

import "context"

// Door finds cameras of one kind and opens them. Devices gives those that are
// there now; the caller rescans. Safe for concurrent use.
type Door interface {
	Devices(ctx context.Context) ([]Location, error)
	// Open begins to talk with the camera at a location. The error wraps ErrGone
	// when there is none.
	Open(ctx context.Context, at Location) (Link, error)
}

// Over is the door to the PTP cameras on a bus.
func Over(bus Bus, options Options) Door { return ptpDoor{bus, options} }

type ptpDoor struct {
	Bus
	options Options
}

func (d ptpDoor) Open(ctx context.Context, at Location) (Link, error) {
	pipe, err := d.Bus.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	return Dial(ctx, pipe, d.options)
}
