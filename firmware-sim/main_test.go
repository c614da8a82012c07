package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
)

// parse gives arguments to the command line.
func parse(t *testing.T, arguments ...string) (commands, string, error) {
	t.Helper()
	var c commands
	var out bytes.Buffer
	k, err := newParser(&c, kong.Writers(&out, &out), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(arguments)
	return c, out.String(), err
}

func TestArgumentsBecomeASimulation(t *testing.T) {
	c, _, err := parse(t, "run", "--cameras", "8", "--files", "3", "--file-size", "1GiB", "--seed", "9", "--clock-error=-2h", "--footage-on", "all", "--size-mib", "0.5")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Run.config()
	if err != nil {
		t.Fatal(err)
	}
	if got.Cameras != 8 || got.Files != 3 || got.FileSize != 1<<30 || got.Seed != 9 || got.ClockError != -2*time.Hour || !got.FolderAll || got.ClipSize != 1<<19 {
		t.Errorf("%+v", got)
	}
	if c, _, err = parse(t, "run", "--state", "x.json"); err != nil || !strings.HasSuffix(c.Run.Oracle, "/x.json") {
		t.Errorf("--state: %q, %v", c.Run.Oracle, err)
	}
	if got, err := c.Run.config(); err != nil || got.Check() != nil || got.Plain || c.Run.Listen != "127.0.0.1:3240" {
		t.Errorf("the defaults make no simulation: %+v, %v", got, got.Check())
	}
}

func TestWrongArgumentsGetPlainErrors(t *testing.T) {
	for arguments, words := range map[string]string{
		"run --cameras x": "--cameras", "run --file-size 5parsecs": "64KiB", "run --footage /nonexistent": "/nonexistent",
		"run --footage-on some": "spread", "ctl plug": "<bay>", "ctl dance": "unexpected argument dance", "": "expected one of",
	} {
		if _, _, err := parse(t, strings.Fields(arguments)...); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want words %q", arguments, err, words)
		}
	}
}

func TestEveryFaultCanBeWrittenOnTheCommandLine(t *testing.T) {
	for arguments, want := range map[string]fault.Fault{
		"unplug-at 1MiB":                       {Kind: fault.Unplug, At: 1 << 20},
		"stall 5 --for 3s":                     {Kind: fault.Stall, At: 5, For: 3 * time.Second},
		"halt 7 --path p":                      {Kind: fault.Halt, At: 7, Path: "p"},
		"flip-bit 9 --path p --bit 7 --read 2": {Kind: fault.Flip, Path: "p", At: 9, Bit: 7, Read: 2},
		"lie-size larger:1KiB":                 {Kind: fault.Size, Delta: 1024},
		"lie-size smaller:100":                 {Kind: fault.Size, Delta: -100},
		"bad-dates garbage":                    {Kind: fault.Dates, Variant: fault.VariantGarbage},
		"lie-handles many --count 1000000":     {Kind: fault.Handles, Variant: fault.VariantMany, Count: 1_000_000},
		"hostile-names all":                    {Kind: fault.Names, Variant: fault.VariantAll},
		"busy 3":                               {Kind: fault.Busy, Count: 3},
		"slow 2MiB":                            {Kind: fault.Slow, Rate: 2 << 20},
		"unplug-at-erase after --count 2":      {Kind: fault.UnplugErase, Variant: fault.VariantAfter, Count: 2},
		"reboot 1MiB --for 2s --bay 1-2":       {Kind: fault.Reboot, At: 1 << 20, For: 2 * time.Second, Bay: "1-2"},
		"re-enumerate 1000 --for 10s":          {Kind: fault.Storm, Rate: 1000, For: 10 * time.Second},
		"event-storm 5000":                     {Kind: fault.Events, Rate: 5000},
		"swap-content --path p --read 2":       {Kind: fault.Swap, Path: "p", Read: 2},
		"bad-block 1MiB --path p":              {Kind: fault.BadBlock, Path: "p", At: 1 << 20},
		"endless-content":                      {Kind: fault.Endless},
		"growing-file 1KiB --path p --step 5":  {Kind: fault.Grow, Path: "p", At: 1024, Delta: 5},
		"full-card":                            {Kind: fault.Full},
		"read-only-card":                       {Kind: fault.ReadOnly},
		"hostile-content bombs":                {Kind: fault.Content, Variant: fault.VariantBombs},
		"same-content --path p":                {Kind: fault.Again, Path: "p"},
		"changing-size smaller:1":              {Kind: fault.Changing, Delta: -1},
		"lie-handles endless --count 5":        {Kind: fault.Handles, Variant: fault.VariantEndless, Count: 5},
		"lie-containers short --count 1":       {Kind: fault.Containers, Variant: fault.VariantShort, Count: 1},
		"lie-descriptors bad-usb":              {Kind: fault.Descriptors, Variant: fault.VariantBadUSB},
		"duplicate-serial --bay 1-2":           {Kind: fault.Serial, Bay: "1-2"},
		"clock-jump 1970":                      {Kind: fault.ClockJump, Variant: fault.Variant1970},
		"clock-drift 0.01":                     {Kind: fault.ClockDrift, Drift: 0.01},
		"wrong-key":                            {Kind: fault.WrongKey},
	} {
		c, _, err := parse(t, append([]string{"ctl", "fault", "1-1"}, strings.Fields(arguments)...)...)
		if err != nil {
			t.Fatalf("%s: %v", arguments, err)
		}
		if got, err := c.Ctl.Fault.script(); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", arguments, got, err, want)
		}
	}
	for arguments, words := range map[string]string{"unplug-at soon": "64KiB", "unplug-at": "64KiB", "explode": "unknown", "busy many": "busy",
		"lie-size 100": "larger:", "flip-bit 3": "which recording", "hostile-names": "surrogate"} {
		c, _, err := parse(t, append([]string{"ctl", "fault", "1-1"}, strings.Fields(arguments)...)...)
		if err != nil {
			t.Fatalf("%s: %v", arguments, err)
		}
		if _, err := c.Ctl.Fault.script(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want words %q", arguments, err, words)
		}
	}
}

func TestSizesAreReadWithUnits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "65536": 65536, "64KiB": 65536, "90MiB": 90 << 20, "5GiB": 5 << 30, "1 TiB": 1 << 40} {
		if got, err := bytesOf(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5GiB", "9999999TiB", "KiB", "5kb"} {
		if got, err := bytesOf(text); err == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
}

func TestLongPathsAreShownShort(t *testing.T) {
	if got := short(strings.Repeat("é", 500)); len([]rune(got)) != 65 {
		t.Errorf("%q", got)
	}
	if got := short("DCIM/a.mp4"); got != "DCIM/a.mp4" {
		t.Errorf("%q", got)
	}
}
