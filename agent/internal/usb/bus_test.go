//go:build cgo && linux

package usb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

func TestMachineWithoutUSBIsToldOnceAndHasNoCameras(t *testing.T) {
	for name, sysfs := range map[string]string{"no such folder": filepath.Join(t.TempDir(), "none"), "empty folder": t.TempDir()} {
		var log bytes.Buffer
		b := New(slog.New(slog.NewTextHandler(&log, nil)))
		b.sysfs = sysfs
		for range 3 {
			list, err := b.Devices(t.Context())
			if err != nil || len(list) != 0 {
				t.Fatalf("%s: %v, %v", name, list, err)
			}
		}
		if n := strings.Count(log.String(), "no USB bus"); n != 1 {
			t.Errorf("%s: told %d times: %s", name, n, log.String())
		}
	}
}

// Runs libusb on whatever this machine has; a scan must work and clean up everywhere.
func TestScanWorksOnThisMachine(t *testing.T) {
	b := New(slog.New(slog.DiscardHandler))
	for range 2 {
		if _, err := b.askLibusb(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Devices(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenOfAnEmptyBaySaysGone(t *testing.T) {
	b := New(slog.New(slog.DiscardHandler))
	if _, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "99-1"}); !errors.Is(err, camera.ErrGone) {
		t.Fatalf("%v, want ErrGone", err)
	}
}

func endpoint(address int, kind gousb.TransferType) gousb.EndpointDesc {
	direction := gousb.EndpointDirectionOut
	if address&0x80 != 0 {
		direction = gousb.EndpointDirectionIn
	}
	return gousb.EndpointDesc{
		Address: gousb.EndpointAddress(address), Number: address & 0x0f, Direction: gousb.EndpointDirection(direction),
		MaxPacketSize: 512, TransferType: kind,
	}
}

func setting(number int, class gousb.Class, endpoints ...gousb.EndpointDesc) gousb.InterfaceDesc {
	s := gousb.InterfaceSetting{Number: number, Class: class, SubClass: 1, Protocol: 1, Endpoints: map[gousb.EndpointAddress]gousb.EndpointDesc{}}
	for _, e := range endpoints {
		s.Endpoints[e.Address] = e
	}
	return gousb.InterfaceDesc{Number: number, AltSettings: []gousb.InterfaceSetting{s}}
}

func TestFindInterface(t *testing.T) {
	in, out, interrupt := endpoint(0x81, gousb.TransferTypeBulk), endpoint(0x02, gousb.TransferTypeBulk), endpoint(0x83, gousb.TransferTypeInterrupt)
	storage := setting(0, 8, in, out)
	for name, c := range map[string]struct {
		interfaces []gousb.InterfaceDesc
		number     int
		err        error
	}{
		"camera":                 {[]gousb.InterfaceDesc{setting(0, 6, in, out, interrupt)}, 0, nil},
		"camera without events":  {[]gousb.InterfaceDesc{setting(0, 6, in, out)}, 0, nil},
		"camera behind storage":  {[]gousb.InterfaceDesc{storage, setting(1, 6, in, out)}, 1, nil},
		"numbers with a gap":     {[]gousb.InterfaceDesc{storage, setting(2, 6, in, out)}, 0, camera.ErrProtocol},
		"storage only":           {[]gousb.InterfaceDesc{storage}, 0, errNoInterface},
		"camera without bulk in": {[]gousb.InterfaceDesc{setting(0, 6, out, interrupt)}, 0, errNoInterface},
		"nothing":                {nil, 0, errNoInterface},
	} {
		d := &gousb.DeviceDesc{Configs: map[int]gousb.ConfigDesc{1: {Number: 1, Interfaces: c.interfaces}}}
		for _, active := range []int{0, 1} {
			p, err := finder{desc: d}.find(active)
			if !errors.Is(err, c.err) || err == nil && (p.number != c.number || p.configuration != 1 || p.in.Number != 1 || p.out.Number != 2) {
				t.Errorf("%s, active %d: %+v, %v", name, active, p, err)
			}
		}
	}
}

func TestPortPathIsLinuxs(t *testing.T) {
	if got := portPath(&gousb.DeviceDesc{Bus: 1, Path: []int{2, 3, 14}}); got != "1-2.3.14" {
		t.Fatal(got)
	}
}

func TestErrorsOfLibusbBecomeOurs(t *testing.T) {
	live := t.Context()
	ended, cancel := context.WithCancel(live)
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{live, gousb.TransferStall, camera.ErrStall},
		{live, gousb.TransferNoDevice, camera.ErrGone},
		{live, gousb.TransferOverflow, camera.ErrProtocol},
		{live, gousb.TransferError, camera.ErrProtocol},
		{live, gousb.TransferTimedOut, camera.ErrTimeout},
		{live, gousb.ErrorPipe, camera.ErrStall},
		{live, gousb.ErrorNoDevice, camera.ErrGone},
		{live, gousb.ErrorTimeout, camera.ErrTimeout},
		{live, gousb.ErrorBusy, gousb.ErrorBusy},
		{live, fmt.Errorf("wrapped: %w", gousb.TransferStall), camera.ErrStall},
		{live, fmt.Errorf("failed to claim interface 0: %v", gousb.ErrorBusy), gousb.ErrorBusy},
		{live, fmt.Errorf("failed to claim interface 0: %v", gousb.ErrorNoDevice), camera.ErrGone},
		{ended, gousb.TransferCancelled, context.Canceled},
		{ended, gousb.ErrorTimeout, context.Canceled},
		{ended, gousb.TransferNoDevice, camera.ErrGone},
	} {
		if got := judge(c.ctx, c.err); !errors.Is(got, c.want) {
			t.Errorf("%v became %v, want %v", c.err, got, c.want)
		}
	}
	if judge(ended, nil) != nil {
		t.Error("success became an error")
	}
}

// A maker's own class is taken when sysfs has the name MTP for it; a still image
// interface comes first, and of a composite nothing else is ever claimed.
func TestOnlyCamerasInterfacesAreClaimed(t *testing.T) {
	in, out := endpoint(0x81, gousb.TransferTypeBulk), endpoint(0x02, gousb.TransferTypeBulk)
	own := setting(0, gousb.ClassVendorSpec, in, out)
	own.AltSettings[0].SubClass, own.AltSettings[0].Protocol = gousb.ClassVendorSpec, 0
	b := New(slog.New(slog.DiscardHandler))
	b.sysfs = t.TempDir()
	if err := os.MkdirAll(filepath.Join(b.sysfs, "1-2:1.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(b.sysfs, "1-2:1.0", "interface"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	device := func(interfaces ...gousb.InterfaceDesc) *gousb.DeviceDesc {
		return &gousb.DeviceDesc{Bus: 1, Path: []int{2}, Configs: map[int]gousb.ConfigDesc{1: {Number: 1, Interfaces: interfaces}}}
	}
	if _, err := b.finder(device(own)).find(0); !errors.Is(err, errNoInterface) {
		t.Errorf("without a name: %v", err)
	}
	write("ADB Interface\n")
	if _, err := b.finder(device(own)).find(0); !errors.Is(err, errNoInterface) {
		t.Errorf("with another name: %v", err)
	}
	write("MTP\n")
	if p, err := b.finder(device(own)).find(0); err != nil || p.number != 0 {
		t.Errorf("named MTP: %+v, %v", p, err)
	}
	keyboard, network := setting(2, gousb.ClassHID), setting(3, gousb.ClassComm, in, out)
	d := device(own, setting(1, gousb.ClassPTP, in, out), keyboard, network)
	p, err := b.finder(d).find(1)
	if err != nil || p.number != 1 {
		t.Fatalf("composite: %+v, %v", p, err)
	}
	if said := fmt.Sprint(others(d, p)); len(others(d, p)) != 3 || !strings.Contains(said, "keyboard") || !strings.Contains(said, "network") {
		t.Error(said)
	}
}
