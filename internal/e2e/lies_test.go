package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// bay is what the dock says of one bay.
type bay struct {
	Port    string   `json:"port"`
	State   string   `json:"state"`
	Message string   `json:"message"`
	Alerts  []string `json:"alerts"`
	Done    int      `json:"recordings_done"`
}

func bays(t *testing.T, s *station.Station) map[string]bay {
	t.Helper()
	text, err := s.Status(t.Context())
	check(t, err)
	var status struct {
		Bays []bay `json:"bays"`
	}
	check(t, json.Unmarshal([]byte(text), &status))
	found := map[string]bay{}
	for _, b := range status.Bays {
		found[b.Port] = b
	}
	return found
}

// told waits until the dock says something of a bay, as its message or an alert.
func told(t *testing.T, s *station.Station, port, words string) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		b := bays(t, s)[port]
		all := b.Message + "\n" + strings.Join(b.Alerts, "\n")
		return strings.Contains(all, words), fmt.Sprintf("bay %s does not say %q: %+v", port, words, b)
	}))
}

// safe waits until the dock has receipts for so many recordings of a bay.
func safe(t *testing.T, s *station.Station, port string, want int) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		b := bays(t, s)[port]
		return b.Done == want, fmt.Sprintf("bay %s has not %d receipts: %+v", port, want, b)
	}))
}

// content waits until the dock says of a bay that all is well with it.
func content(t *testing.T, s *station.Station, port string) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		b := bays(t, s)[port]
		return b.State == "done", fmt.Sprintf("bay %s is not done: %+v", port, b)
	}))
}

// emptied waits until the cameras in these bays hold nothing.
func emptied(t *testing.T, s *station.Station, ports ...string) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		o, err := s.Oracle()
		if err != nil {
			return false, err.Error()
		}
		for _, port := range ports {
			if n := left(o, port); n > 0 {
				return false, fmt.Sprintf("the camera in bay %s still has %d recordings: %+v", port, n, bays(t, s)[port])
			}
		}
		return true, ""
	}))
}

func left(o *station.Oracle, port string) (n int) {
	for _, c := range o.Cameras {
		for _, r := range c.Recordings {
			if c.Bay == port && !r.Deleted {
				n++
			}
		}
	}
	return n
}

// A camera that lists another size than it delivers loses nothing: all that it
// delivers is stored, and the manifest and the dock tell of both. What comes
// short stays on the camera until its listing fits what it delivers.
func TestLiesAboutSizesCostNoByte(t *testing.T) {
	const size = 3<<20 + 5
	lies := []struct {
		how    string
		listed uint64
	}{
		{"larger:1", size + 1}, {"larger:8MiB", size + 8<<20}, {"smaller:1", size - 1},
		{"smaller:1MiB", size - 1<<20}, {"smaller:2097157", 1 << 20}, {"smaller:8MiB", 0},
	}
	s := open(t, station.Options{}, "--unplugged", "--cameras", fmt.Sprint(len(lies)), "--files", "2", "--file-size", fmt.Sprint(size))
	for i, lie := range lies {
		port := fmt.Sprintf("1-%d", i+1)
		control(t, s, "fault", port, "lie-size", lie.how)
		control(t, s, "plug", port)
	}
	short := []string{"1-1", "1-2"}
	emptied(t, s, "1-3", "1-4", "1-5", "1-6")
	for _, port := range short {
		safe(t, s, port, 2)
	}
	rows, err := s.Rows(t.Context())
	check(t, err)
	for _, r := range rows {
		var n int
		_, err := fmt.Sscanf(r.Camera.Bay, "1-%d", &n)
		check(t, err)
		listed := lies[n-1].listed
		if r.Manifest == nil || r.Manifest.Recording.Size != listed || r.Manifest.Length != size {
			t.Errorf("bay %s %s: the manifest does not tell of %d bytes listed and %d delivered", r.Camera.Bay, r.Recording.Path, listed, size)
		}
		told(t, s, r.Camera.Bay, fmt.Sprintf("%s: the camera lists %d bytes and delivers %d", r.Recording.Path, listed, size))
	}
	sound(t, s)
	for _, port := range short {
		told(t, s, port, "A person must look")
		o, err := s.Oracle()
		check(t, err)
		if n := left(o, port); n != 2 {
			t.Errorf("the camera in bay %s came short and has %d recordings left, want 2", port, n)
		}
		control(t, s, "fault", port, "clear")
		control(t, s, "unplug", port)
		control(t, s, "plug", port)
	}
	drained(t, s)
	settled(t, s)
}

// A lie that ends while the camera is docked makes no second item.
func TestLiesAboutSizesThatEndMakeNoDoubles(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "4", "--file-size", "3MiB")
	s.Ingest.Kill() // so that nothing is erased before the lie ends
	control(t, s, "fault", "1-1", "lie-size", "smaller:1MiB")
	control(t, s, "plug", "1-1")
	spooled(t, s, 4)
	control(t, s, "fault", "1-1", "clear")
	control(t, s, "unplug", "1-1")
	sound(t, s)
	control(t, s, "plug", "1-1")
	check(t, s.StartIngest(within(t)))
	drained(t, s)
	settled(t, s)
}

// Names are only names: each recording is stored under a path that is safe to
// show and to write, and none is lost to its name.
func TestLiesInNamesReachNoPath(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "2", "--file-size", "1MiB")
	control(t, s, "fault", "1-1", "hostile-names", "all")
	control(t, s, "plug", "1-1")
	drained(t, s)
	items, err := s.Items(t.Context())
	check(t, err)
	o, err := s.Oracle()
	check(t, err)
	if made := len(o.Cameras[0].Recordings); len(items) != made || made < 15 {
		t.Errorf("%d items are stored of %d recordings", len(items), made)
	}
	for _, i := range items {
		for part := range strings.SplitSeq(i.Path, "/") {
			if part == "" || part == "." || part == ".." || strings.ContainsRune(part, '\\') {
				t.Errorf("item %v has the path %q", i.ID, i.Path)
			}
		}
		if strings.ContainsFunc(i.Path, func(r rune) bool { return !unicode.IsPrint(r) }) || len(i.Path) > 4096 {
			t.Errorf("item %v has the path %q", i.ID, i.Path)
		}
	}
	settled(t, s)
}

// Dates that are none, and lists with handles that are too many, doubled or in a
// circle, hide no recording.
func TestLiesInDatesAndHandlesHideNothing(t *testing.T) {
	lies := [][]string{
		{"bad-dates", "garbage"}, {"bad-dates", "impossible"}, {"bad-dates", "empty"}, {"bad-dates", "future"},
		{"lie-handles", "many", "--count", "1500"}, {"lie-handles", "double"}, {"lie-handles", "loop"},
	}
	s := open(t, station.Options{}, "--unplugged", "--cameras", fmt.Sprint(len(lies)), "--files", "3", "--file-size", "600KiB")
	for i, lie := range lies {
		port := fmt.Sprintf("1-%d", i+1)
		control(t, s, append([]string{"fault", port}, lie...)...)
		control(t, s, "plug", port)
	}
	drained(t, s)
	told(t, s, "1-5", "Not all that this camera lists can be taken in")
	control(t, s, "fault", "1-5", "clear")
	control(t, s, "unplug", "1-5")
	control(t, s, "plug", "1-5")
	for _, port := range []string{"1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7"} {
		content(t, s, port)
	}
	settled(t, s)
}

// Cameras that hang, refuse or crawl keep their own bay busy and no other, the
// dock says which, and each goes on by itself when its trouble has ended.
func TestLiesInTimeDelayNobodyElse(t *testing.T) {
	const healthy, crawling, hanging, pausing, busy, refusing, halting = "1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7"
	s := open(t, station.Options{}, "--unplugged", "--cameras", "7", "--files", "3", "--file-size", "4MiB")
	control(t, s, "fault", crawling, "slow", "300KiB")
	for range 8 { // each strikes once
		control(t, s, "fault", hanging, "stall", "1MiB")
	}
	control(t, s, "fault", pausing, "stall", "2MiB", "--for", "3s")
	control(t, s, "fault", busy, "busy", "5")
	control(t, s, "fault", refusing, "busy", "100000")
	for _, at := range []string{"1", "3MiB", "9MiB"} {
		control(t, s, "fault", halting, "halt", at)
	}
	for _, port := range []string{crawling, hanging, pausing, busy, refusing, halting, healthy} {
		control(t, s, "plug", port)
	}
	emptied(t, s, healthy)
	content(t, s, healthy)
	o, err := s.Oracle()
	check(t, err)
	for _, port := range []string{crawling, hanging, refusing} {
		if left(o, port) != 3 {
			t.Errorf("the camera in bay %s was not slower than the healthy one: nothing was tested", port)
		}
	}
	emptied(t, s, pausing, busy, halting)
	told(t, s, refusing, "busy")
	told(t, s, hanging, "did not answer in time")
	sound(t, s)
	for _, port := range []string{crawling, hanging, refusing} {
		control(t, s, "fault", port, "clear")
	}
	drained(t, s)
	for port := range bays(t, s) {
		content(t, s, port)
	}
	settled(t, s)
}
