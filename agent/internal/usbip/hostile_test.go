package usbip

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// configuration builds a configuration descriptor whose total length is right.
func configuration(parts ...[]byte) []byte {
	p := []byte{9, 2, 0, 0, byte(len(parts)), 1, 0, 0x80, 50}
	for _, part := range parts {
		p = append(p, part...)
	}
	p[2], p[3] = byte(len(p)), byte(len(p)>>8)
	return p
}

// function is an interface with bulk endpoints number and number+1.
func function(number, class, subClass, protocol, endpoint byte) []byte {
	return []byte{
		9, 4, number, 0, 2, class, subClass, protocol, 4,
		7, 5, 0x80 | endpoint, 2, 0, 2, 0,
		7, 5, endpoint + 1, 2, 0, 2, 0,
	}
}

// What a device says of itself may be anything: it is refused in bounded time and
// memory, or taken with what is sound in it.
func TestDescriptorsThatLie(t *testing.T) {
	still := function(0, 6, 1, 1, 1)
	bare := []byte{9, 4, 0, 0, 0, 6, 1, 1, 0}
	total := func(n int) []byte {
		p := configuration(still)
		p[2], p[3] = byte(n), byte(n>>8)
		return p
	}
	var crowd [][]byte
	for i := range 150 {
		crowd = append(crowd, []byte{9, 4, byte(i), 0, 0, 3, 1, 1, 0})
	}
	crowd[149] = function(149, 6, 1, 1, 1)
	for name, c := range map[string]struct {
		p    []byte
		want error
	}{
		"a descriptor of length 0":        {configuration([]byte{0, 4}, still), camera.ErrProtocol},
		"a descriptor of length 1":        {configuration([]byte{1, 4}, still), camera.ErrProtocol},
		"total length 65535":              {total(65535), camera.ErrProtocol},
		"total length 0":                  {total(0), camera.ErrProtocol},
		"total length in mid-descriptor":  {total(20), camera.ErrProtocol},
		"total length beyond what comes":  {total(200), nil},
		"255 interfaces announced, one":   {func() []byte { p := configuration(still); p[4] = 255; return p }(), nil},
		"150 interfaces, the last is it":  {configuration(crowd...), nil},
		"no endpoints":                    {configuration(bare), errNoInterface},
		"nothing at all":                  {[]byte{}, camera.ErrProtocol},
		"no interface":                    {configuration(), errNoInterface},
		"an endpoint before an interface": {configuration([]byte{7, 5, 0x81, 2, 0, 2, 0}), errNoInterface},
	} {
		t.Run(name, func(t *testing.T) {
			f := newServer("1-1")
			f.configuration = c.p
			p, err := openPipe(t.Context(), start(t, f), "1-1", "1-1")
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil {
				if p.layout.bulkIn != 0x81 || p.layout.bulkOut != 2 {
					t.Errorf("%+v", p.layout)
				}
				_ = p.Close()
			}
		})
	}
}

// A device that is a keyboard and a network card too is read as a camera; nothing
// but the camera's interface is used, and the rest is named.
func TestCompositesAreNamedAndLeftAlone(t *testing.T) {
	f := newServer("1-1")
	f.configuration = configuration(function(0, 3, 1, 1, 5), function(1, 2, 6, 0, 7), function(2, 6, 1, 1, 1), function(3, 8, 6, 0x50, 9))
	p := open(t, f)
	if p.layout.number != 2 || p.layout.bulkIn != 0x81 || p.layout.bulkOut != 2 {
		t.Fatalf("%+v", p.layout)
	}
	said := fmt.Sprint(p.Others())
	for _, want := range []string{"interface 0, keyboard", "interface 1, network", "interface 3, mass storage"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not tell of %q", said, want)
		}
	}
	if len(p.Others()) != 3 {
		t.Error(said)
	}
}

// Makers with a class of their own for MTP name the interface so; others with that class are no cameras.
func TestMakersOwnInterfacesAreCamerasWhenNamedMTP(t *testing.T) {
	for name, want := range map[string]bool{"MTP": true, "mtp": true, "ADB Interface": false, "": false} {
		f := newServer("1-1")
		f.name = name
		f.device.Interfaces = []wire.Interface{{Class: 0xff, SubClass: 0xff}}
		f.configuration = configuration(function(0, 0xff, 0xff, 0, 1))
		b := newBus(t, nil, start(t, f))
		list, err := b.Devices(t.Context())
		if err != nil || (len(list) == 1) != want {
			t.Errorf("named %q: %v, %v", name, list, err)
		}
		p, err := b.Open(t.Context(), camera.Location{Source: Source, Port: "1-1"})
		if want == errors.Is(err, errNoInterface) || want != (err == nil) {
			t.Errorf("named %q: opened with %v", name, err)
		}
		if err == nil {
			_ = p.Close()
		}
	}
}
