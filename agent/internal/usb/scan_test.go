//go:build cgo && linux

package usb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// show puts a device or an interface into the test's sysfs: "name attribute=value ...".
func show(t *testing.T, b *Bus, line string) {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	if err := os.MkdirAll(filepath.Join(b.sysfs, name), 0o755); err != nil {
		t.Fatal(err)
	}
	for pair := range strings.FieldsSeq(rest) {
		attribute, value, _ := strings.Cut(pair, "=")
		if err := os.WriteFile(filepath.Join(b.sysfs, name, attribute), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCamerasAreFoundInSysfs(t *testing.T) {
	const (
		still = " bInterfaceClass=06 bInterfaceSubClass=01 bInterfaceProtocol=01"
		own   = " bInterfaceClass=ff bInterfaceSubClass=ff bInterfaceProtocol=00 bNumEndpoints=03"
		disk  = " bInterfaceClass=08 bInterfaceSubClass=06 bInterfaceProtocol=50 bNumEndpoints=02"
	)
	for name, c := range map[string]struct {
		lines    []string
		want     string
		complete bool
	}{
		"cameras and others": {[]string{
			"usb1 bConfigurationValue=1", "1-0:1.0 bInterfaceClass=09 bInterfaceSubClass=00 bInterfaceProtocol=00 bNumEndpoints=01",
			"1-1 bConfigurationValue=1", "1-1:1.0" + still + " bNumEndpoints=03",
			"1-2 bConfigurationValue=1", "1-2:1.0" + disk, "1-2:1.1" + still + " bNumEndpoints=02", "1-2:1.2" + still + " bNumEndpoints=03",
			"1-3.4 bConfigurationValue=2", "1-3.4:2.0" + own + " interface=MTP",
			"1-5 bConfigurationValue=1", "1-5:1.0" + own + " interface=ADB",
			"1-6 bConfigurationValue=1", "1-6:1.0" + disk,
		}, "[usb:1-1 usb:1-2 usb:1-3.4]", true},
		"no endpoints":              {[]string{"1-1 bConfigurationValue=1", "1-1:1.0" + still + " bNumEndpoints=00"}, "[]", true},
		"noise in a number":         {[]string{"1-1 bConfigurationValue=1", "1-1:1.0 bInterfaceClass=6x bInterfaceSubClass=01 bInterfaceProtocol=01 bNumEndpoints=03"}, "[]", true},
		"it left in between":        {[]string{"1-1", "1-1:1.0"}, "[]", true},
		"a device not configured":   {[]string{"1-1 bConfigurationValue="}, "[]", false},
		"a device in configuration": {[]string{"1-1 bConfigurationValue=0"}, "[]", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := machine(t)
			for _, line := range c.lines {
				show(t, b, line)
			}
			entries, err := os.ReadDir(b.sysfs)
			if err != nil {
				t.Fatal(err)
			}
			if list, complete := b.inSysfs(entries); fmt.Sprint(list) != c.want || complete != c.complete {
				t.Errorf("%v, complete %v", list, complete)
			}
		})
	}
}
