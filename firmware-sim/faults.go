package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

type faultCommand struct {
	bayArgument
	Kind  string        `arg:"" help:"What goes wrong: one of the kinds below, or clear."`
	Value string        `arg:"" optional:"" help:"What the kind asks for. Bytes may end in KiB, MiB or GiB; unplug-at, reboot, stall and halt count object bytes from now on, flip-bit, bad-block and growing-file count from the recording's start."`
	Path  string        `placeholder:"PATH" help:"Only this recording (flip-bit, swap-content, bad-block, growing-file and same-content need it)."`
	For   time.Duration `placeholder:"DURATION" help:"reboot: how long it is away. stall, re-enumerate, event-storm: how long; without it until the host cancels, or clear."`
	Other string        `name:"bay" placeholder:"BAY" help:"reboot: the camera comes back in this bay. duplicate-serial: whose serial number it gives."`
	Bit   uint8         `help:"flip-bit: which bit, 0 to 7."`
	Read  int           `placeholder:"K" help:"flip-bit: on the K-th reading of the byte only; without it on each. swap-content: on the K-th reading."`
	Count int           `placeholder:"N" help:"lie-handles many, endless: how many handles too many (at each listing). lie-containers: how often; without it each time. unplug-at-erase: at which deletion."`
	Step  size          `placeholder:"BYTES" help:"growing-file: by how much it grows each time the host asks."`
}

// Help lists every kind with its value.
func (*faultCommand) Help() string {
	return `The cable:
  unplug-at BYTE                 pulled before that byte
  unplug-at-erase before|after --count N
                                 pulled at the N-th deletion, before it is done or after
  reboot BYTE --for TIME [--bay BAY]
                                 goes away and comes back, in another bay too
  re-enumerate PER-MINUTE [--for TIME]
                                 comes and goes
  stall BYTE [--for TIME]        stops answering
  halt BYTE                      the endpoint halts (USB STALL)
  slow BYTES-PER-SECOND          1KiB is a trickle
  event-storm PER-SECOND [--for TIME]
The storage:
  flip-bit BYTE --path PATH [--bit N] [--read K]
  swap-content --path PATH --read K
                                 other bytes on that reading
  bad-block BYTE --path PATH     that block of 64 KiB cannot be read
  endless-content [--path PATH]  bytes without end
  growing-file BYTES --path PATH --step BYTES
                                 so much is there, and more each time the host asks
  full-card, read-only-card
  hostile-names all|parent|nul|long|surrogate|twins|many
  hostile-content all|bombs|claims
  same-content --path PATH       the same bytes under a new name
What it says:
  lie-size larger:SIZE|smaller:SIZE [--path PATH]
  changing-size larger:SIZE|smaller:SIZE [--path PATH]
                                 wrong every second time
  bad-dates garbage|impossible|empty|future
  lie-handles many|double|loop|endless [--count N]
  lie-containers short|transaction|count|text|no-zero-packet [--count N]
  lie-descriptors zero-length|total-length|interfaces|no-endpoints|bad-usb
                                 from the next docking on
  duplicate-serial --bay BAY     from the next docking on
  clock-jump 1970|ten-years|dst|backwards
  clock-drift RATIO              seconds per second, such as 0.001
  busy COUNT                     so many transactions are refused
The vendor extension:
  wrong-key, foreign-certificate, bad-list-signature, firmware-fails`
}

func (f *faultCommand) Run(ctx context.Context, c *ctlCommand) error {
	if f.Kind == "clear" {
		return c.client().Clear(ctx, f.Bay)
	}
	script, err := f.script()
	if err != nil {
		return err
	}
	return c.client().Break(ctx, f.Bay, script)
}

// script turns arguments into a fault.
func (f *faultCommand) script() (fault.Fault, error) {
	s := fault.Fault{Kind: fault.Kind(f.Kind), Path: f.Path, For: f.For, Bit: f.Bit, Read: f.Read, Count: f.Count, Bay: f.Other}
	var err error
	switch s.Kind {
	case fault.Unplug, fault.Reboot, fault.Stall, fault.Halt, fault.Flip, fault.BadBlock:
		s.At, err = bytesOf(f.Value)
	case fault.Grow:
		s.At, err = bytesOf(f.Value)
		s.Delta = int64(f.Step)
	case fault.Slow:
		s.Rate, err = bytesOf(f.Value)
	case fault.Storm, fault.Events:
		s.Rate, err = strconv.ParseInt(f.Value, 10, 64)
	case fault.Size, fault.Changing:
		s.Delta, err = difference(f.Value)
	case fault.Busy:
		s.Count, err = strconv.Atoi(f.Value)
	case fault.ClockDrift:
		s.Drift, err = strconv.ParseFloat(f.Value, 64)
	default:
		s.Variant = f.Value
	}
	switch {
	case err != nil && f.Value == "":
		return s, fmt.Errorf("fault %s needs a value, see firmware-sim ctl fault --help: %w", f.Kind, err)
	case err != nil:
		return s, fmt.Errorf("fault %s, value %q: %w", f.Kind, f.Value, err)
	}
	return s, s.Check()
}

// difference reads larger:SIZE or smaller:SIZE.
func difference(text string) (int64, error) {
	if size, ok := strings.CutPrefix(text, "larger:"); ok {
		return bytesOf(size)
	}
	if size, ok := strings.CutPrefix(text, "smaller:"); ok {
		n, err := bytesOf(size)
		return -n, err
	}
	return 0, errors.New("write larger:SIZE or smaller:SIZE")
}
