package usbip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

func newBus(t *testing.T, log *bytes.Buffer, addresses ...string) *Bus {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	b, err := New(addresses, logger)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ports(t *testing.T, b *Bus) string {
	t.Helper()
	list, err := b.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(list)
}

func TestBusListsCamerasOnly(t *testing.T) {
	ours, bare, storage, blank, hostile, twin := newServer("1-1"), newServer("1-2.3"), newServer("1-4"), newServer("1-5"), newServer("../etc"), newServer("1-1")
	bare.device.Interfaces = nil // as usbip-host lists a bound device
	storage.device.Interfaces = []wire.Interface{{Class: 8}}
	blank.device.Interfaces, blank.configuration = nil, blank.configuration[:0:0]
	blank.configuration = []byte{9, 2, 9, 0, 0, 1, 0, 0x80, 50}
	b := newBus(t, nil, start(t, ours, bare, storage, blank, hostile, twin))
	for range 3 {
		if got := ports(t, b); got != "[usbip:1-1 usbip:1-2.3]" {
			t.Fatal(got)
		}
	}
	if bare.imports != 1 || blank.imports != 1 || ours.imports != 0 {
		t.Errorf("imports to look at descriptors: %d, %d and %d, want 1, 1 and 0", bare.imports, blank.imports, ours.imports)
	}
}

func TestOpenCameraStaysListedUntilItIsGone(t *testing.T) {
	f := newServer("1-1")
	address := start(t, f)
	b := newBus(t, nil, address)
	p, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "1-1"})
	if err != nil {
		t.Fatal(err)
	}
	f.device.Interfaces = []wire.Interface{{Class: 8}} // the server no longer shows it
	if got := ports(t, b); got != "[usbip:1-1]" {
		t.Fatal(got)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ports(t, b); got != "[]" {
		t.Fatal(got)
	}
}

func TestSeveralServersHaveSeparateBays(t *testing.T) {
	one, two := start(t, newServer("1-1")), start(t, newServer("1-1"))
	b := newBus(t, nil, one, two)
	if got := ports(t, b); got != fmt.Sprintf("[usbip:1-1@%s usbip:1-1@%s]", one, two) {
		t.Fatal(got)
	}
	p, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "1-1@" + two})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	for _, port := range []string{"1-1", "1-1@unix:/other", "../x@" + two} {
		if _, err := b.Open(t.Context(), camera.Location{Source: Source, Port: port}); err == nil {
			t.Errorf("bay %q was opened", port)
		}
	}
}

func TestUnreachableServerIsToldOnceAndWhenItIsBack(t *testing.T) {
	var log bytes.Buffer
	path := "unix:" + filepath.Join(t.TempDir(), "none")
	good := newServer("1-1")
	address := start(t, good)
	b := newBus(t, &log, path, address)
	for range 3 {
		if got := ports(t, b); got != fmt.Sprintf("[usbip:1-1@%s]", address) {
			t.Fatal(got)
		}
	}
	if n := strings.Count(log.String(), "WARN"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
	b.addresses[0] = address // it answers now
	b.failed[address] = "before"
	_ = ports(t, b)
	if !strings.Contains(log.String(), "answers again") {
		t.Errorf("its return was not told:\n%s", log.String())
	}
}

func TestRefusedImportsSayWhy(t *testing.T) {
	f := newServer("1-1")
	b := newBus(t, nil, start(t, f))
	f.status = wire.OpBusy
	if _, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "1-1"}); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Error(err)
	}
	if _, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "1-9"}); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newBus(t, nil, start(t, newServer("1-1"))).Devices(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:3240": true, "[::1]:3240": true, "unix:/run/x": true, "/run/x": true, "localhost": false, "unix:": false, "": false,
	} {
		if _, err := New([]string{address}, slog.New(slog.DiscardHandler)); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
