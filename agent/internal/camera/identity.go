package camera

import (
	"context"
	"fmt"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// escapeText makes a text from outside printable and bounded.
func escapeText(s string) string { return escape(ptp.NewText(s), maxText) }

// Identity implements Link.
func (l *link) Identity(ctx context.Context) (Identity, error) {
	if err := l.settle(ctx); err != nil {
		return Identity{}, err
	}
	id := Identity{
		Serial:   escape(l.info.SerialNumber, maxText),
		Vendor:   escape(l.info.Manufacturer, maxText),
		Model:    escape(l.info.Model, maxText),
		Firmware: escape(l.info.DeviceVersion, maxText),
		Battery:  -1,
	}
	if id.Serial == "" {
		id.Serial = escapeText(l.s.pipe.Serial())
	}
	if v, ok, err := l.deviceProperty(ctx, ptp.DevPropBatteryLevel, ptp.TypeUint8); err != nil {
		return Identity{}, fmt.Errorf("reading the camera's charge: %w", err)
	} else if ok && v.Low <= 100 {
		id.Battery = int(v.Low)
	}
	v, ok, err := l.deviceProperty(ctx, ptp.DevPropDateTime, ptp.TypeText)
	if err != nil {
		return Identity{}, fmt.Errorf("reading the camera's clock: %w", err)
	}
	if ok {
		id.ClockRaw = escape(v.Text, maxDate)
		if at, err := ptp.ParseDateTime(v.Text.String()); err == nil {
			id.Clock, id.ClockKnown, id.ClockZoned = at.Time, true, at.Zoned
		}
	}
	return id, nil
}

// deviceProperty reads a property that the camera may not have, or not as the
// standard types it: then ok is false. An error means that the camera can no
// longer be talked to.
func (l *link) deviceProperty(ctx context.Context, property ptp.DeviceProperty, t ptp.DataType) (v ptp.Value, ok bool, err error) {
	if !l.info.HasProperty(property) || !l.info.Supports(ptp.OpGetDevicePropValue) {
		return v, false, nil
	}
	data, _, err := l.s.ask(ctx, ptp.OpGetDevicePropValue, uint32(property))
	if isRefusal(err) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	v, err = ptp.ParseValue(t, data)
	return v, err == nil, nil
}
